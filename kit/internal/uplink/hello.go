package uplink

import (
	"errors"
	"fmt"
	"strings"
)

// What keeps a beginning from telling a name. They stand in the log.
var (
	errNoName     = errors.New("its TLS tells no name (SNI)")
	errHiddenName = errors.New("its TLS hides the name (ECH)")
	errNotTold    = errors.New("it is neither TLS nor HTTP")
)

// errMore says that what has come so far is a good beginning, and not all.
var errMore = errors.New("more is needed")

// mostHello bounds a ClientHello; a large one with keys against quantum computers has some 2 KiB.
const mostHello = 16 << 10

const (
	recordHandshake  = 22
	messageHello     = 1
	extensionName    = 0
	extensionECH     = 0xfe0d
	nameTypeHost     = 0
	recordHeaderSize = 5
)

// helloName finds the name that a TLS ClientHello asks for (RFC 8446 section 4.1.2, RFC 6066 section 3). The hello may
// lie in several records. A hello with Encrypted ClientHello may ask for another name behind the one that is seen, and
// one that only pretends to cannot be told from it, so both are refused.
func helloName(data []byte) (string, error) {
	message, whole := handshake(data)
	if len(message) > 0 && message[0] != messageHello {
		return "", errNotTold
	}
	if len(message) >= 4 {
		size := int(message[1])<<16 | int(message[2])<<8 | int(message[3])
		if size > mostHello {
			return "", fmt.Errorf("its ClientHello has %d bytes", size)
		}
		if len(message) >= 4+size {
			return nameInHello(message[4 : 4+size])
		}
	}
	if !whole {
		return "", errNotTold
	}
	return "", errMore
}

// handshake joins what handshake records hold. whole is false when something else stands among them.
func handshake(data []byte) (message []byte, whole bool) {
	for len(data) > 0 {
		if data[0] != recordHandshake || len(data) > 1 && data[1] != 3 {
			return message, false
		}
		if len(data) < recordHeaderSize {
			return message, true
		}
		size := int(data[3])<<8 | int(data[4])
		data = data[recordHeaderSize:]
		if size == 0 {
			return message, false
		}
		if size > len(data) {
			size = len(data)
		}
		message = append(message, data[:size]...)
		data = data[size:]
	}
	return message, true
}

func nameInHello(hello []byte) (string, error) {
	r := reader{data: hello}
	r.skip(2 + 32) // version, random
	r.skip(r.number(1))
	r.skip(r.number(2))
	r.skip(r.number(1))
	if r.broken {
		return "", errNotTold
	}
	if len(r.data) == 0 {
		return "", errNoName
	}
	extensions := reader{data: r.take(r.number(2))}
	name, seen := "", map[int]bool{}
	for len(extensions.data) > 0 {
		kind := extensions.number(2)
		body := reader{data: extensions.take(extensions.number(2))}
		if extensions.broken || seen[kind] {
			return "", errNotTold
		}
		seen[kind] = true
		switch kind {
		case extensionECH:
			return "", errHiddenName
		case extensionName:
			list := reader{data: body.take(body.number(2))}
			isHost := list.number(1) == nameTypeHost
			name = string(list.take(list.number(2)))
			if !isHost || list.broken || len(list.data) > 0 {
				return "", errNotTold
			}
		}
	}
	if r.broken {
		return "", errNotTold
	}
	if name == "" {
		return "", errNoName
	}
	return strings.ToLower(name), nil
}

// reader takes numbers and pieces off a text of bytes. Once something is not there it is broken, and gives nothing.
type reader struct {
	data   []byte
	broken bool
}

func (r *reader) take(size int) []byte {
	if r.broken || size > len(r.data) {
		r.broken = true
		r.data = nil
		return nil
	}
	piece := r.data[:size]
	r.data = r.data[size:]
	return piece
}

func (r *reader) skip(size int) { r.take(size) }

func (r *reader) number(size int) int {
	value := 0
	for _, b := range r.take(size) {
		value = value<<8 | int(b)
	}
	return value
}
