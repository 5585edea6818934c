package uplink

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
)

// origin is on whose behalf an instance connects, and which port that client asked for.
type origin struct {
	client netip.Addr
	port   int
}

var errOrigin = errors.New("it does not say on whose behalf it connects")

const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// readOrigin reads a header of version 2 of the PROXY protocol (haproxy.org/download/2.6/doc/proxy-protocol.txt).
func readOrigin(from io.Reader) (origin, error) {
	var head [16]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return origin{}, err
	}
	const proxied, tcpOverIPv4, addresses = 0x21, 0x11, 12
	size := int(binary.BigEndian.Uint16(head[14:]))
	if string(head[:12]) != proxySignature || head[12] != proxied || head[13] != tcpOverIPv4 || size < addresses || size > 1024 {
		return origin{}, errOrigin
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(from, body); err != nil {
		return origin{}, err
	}
	client, _ := netip.AddrFromSlice(body[0:4])
	return origin{client, int(binary.BigEndian.Uint16(body[10:12]))}, nil
}
