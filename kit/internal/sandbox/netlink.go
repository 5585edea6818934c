package sandbox

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"time"
)

// Of linux/netfilter/nfnetlink.h and nf_tables.h; https://docs.kernel.org/networking/netlink_spec/nftables.html
const (
	netlinkNetfilter = 12
	subsystem        = 10 << 8

	messageBegin       = 0x10
	messageEnd         = 0x11
	messageAddTable    = subsystem | 0
	messageRemoveTable = subsystem | 2
	messageAddChain    = subsystem | 3
	messageAddRule     = subsystem | 6

	familyInet = 1
	nested     = 0x8000

	flagCreate = 0x400
	flagAppend = 0x800

	metaDeviceIn, metaDeviceOut = 4, 5
	metaFamily, metaTransport   = 15, 16

	networkHeader, transportHeader = 1, 2
	trackState, trackDirection     = 0, 1
	equal, unequal                 = 0, 1
	register                       = 1
)

// verdict is what a rule decides.
type verdict uint32

const (
	drop   verdict = 0
	accept verdict = 1
)

// answerLimit is how long the kernel may take.
const answerLimit = 10 * time.Second

// condition is a list of expressions, encoded.
type condition []byte

// transaction is a list of changes that the kernel makes all or none of.
type transaction struct {
	messages []byte
	count    uint32
}

func (t *transaction) addTable(name string) {
	t.add(messageAddTable, flagCreate, text(1, name))
}

func (t *transaction) removeTable(name string) {
	t.add(messageRemoveTable, 0, text(1, name))
}

// addChain adds a chain that drops what no rule accepts.
func (t *transaction) addChain(table, name string, hook uint32) {
	t.add(messageAddChain, flagCreate, text(1, table), text(3, name),
		attribute(4|nested, number(1, hook), number(2, 0)), number(5, uint32(drop)), text(7, "filter"))
}

func (t *transaction) addRule(table, chain string, v verdict, conditions ...condition) {
	var expressions []byte
	for _, c := range conditions {
		expressions = append(expressions, c...)
	}
	code := attribute(2|nested, number(1, uint32(v)))
	expressions = append(expressions, expression("immediate", number(1, 0), attribute(2|nested, code))...)
	t.add(messageAddRule, flagCreate|flagAppend, text(1, table), text(2, chain), attribute(4|nested, expressions))
}

func (t *transaction) add(kind, flags uint16, attributes ...[]byte) {
	t.messages = append(t.messages, t.message(kind, flags|syscall.NLM_F_ACK, familyInet, 0, attributes...)...)
}

func (t *transaction) message(kind, flags uint16, family byte, resource uint16, attributes ...[]byte) []byte {
	t.count++
	body := []byte{family, 0, byte(resource >> 8), byte(resource)}
	for _, a := range attributes {
		body = append(body, a...)
	}
	head := make([]byte, syscall.NLMSG_HDRLEN)
	binary.LittleEndian.PutUint32(head, uint32(len(head)+len(body)))
	binary.LittleEndian.PutUint16(head[4:], kind)
	binary.LittleEndian.PutUint16(head[6:], flags|syscall.NLM_F_REQUEST)
	binary.LittleEndian.PutUint32(head[8:], t.count)
	return append(head, body...)
}

// commit sends the changes and waits until the kernel has answered every one.
func (t *transaction) commit() error {
	expected := t.count
	begin := t.message(messageBegin, 0, 0, subsystem>>8)
	end := t.message(messageEnd, 0, 0, subsystem>>8)
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkNetfilter)
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	defer syscall.Close(socket)
	limit := syscall.NsecToTimeval(answerLimit.Nanoseconds())
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit); err != nil {
		return err
	}
	// as many answers as changes wait at once
	_ = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 8<<20)
	_ = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_SNDBUFFORCE, 8<<20)
	all := append(append(begin, t.messages...), end...)
	if err := syscall.Sendto(socket, all, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return fmt.Errorf("packet rules: %w", err)
	}
	return await(socket, expected)
}

func await(socket int, expected uint32) error {
	buffer := make([]byte, 64<<10)
	for answered := uint32(0); answered < expected; {
		n, _, err := syscall.Recvfrom(socket, buffer, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("packet rules: no answer: %w", err)
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Header.Type != syscall.NLMSG_ERROR || len(m.Data) < 4 {
				continue
			}
			if code := int32(binary.LittleEndian.Uint32(m.Data)); code != 0 {
				return fmt.Errorf("packet rules: change %d: %w", m.Header.Seq, syscall.Errno(-code))
			}
			answered++
		}
	}
	return nil
}

func meta(key uint32, value []byte) condition {
	return append(expression("meta", number(1, register), number(2, key)), compare(value, equal)...)
}

func payload(base, offset uint32, value []byte) condition {
	return append(load(base, offset, uint32(len(value))), compare(value, equal)...)
}

func load(base, offset, size uint32) condition {
	return expression("payload", number(1, register), number(2, base), number(3, offset), number(4, size))
}

func connection(key uint32) condition {
	return expression("ct", number(1, register), number(2, key))
}

func compare(value []byte, how uint32) condition {
	return expression("cmp", number(1, register), number(2, how), attribute(3|nested, attribute(1, value)))
}

func mask(bits []byte) condition {
	nothing := make([]byte, len(bits))
	return expression("bitwise", number(1, register), number(2, register), number(3, uint32(len(bits))),
		attribute(4|nested, attribute(1, bits)), attribute(5|nested, attribute(1, nothing)))
}

func expression(name string, attributes ...[]byte) []byte {
	return attribute(1|nested, text(1, name), attribute(2|nested, attributes...))
}

func text(kind uint16, value string) []byte {
	return attribute(kind, append([]byte(value), 0))
}

func number(kind uint16, value uint32) []byte {
	b := make([]byte, 4)
	binary.BigEndian.PutUint32(b, value)
	return attribute(kind, b)
}

// attribute encodes one attribute; each starts at a multiple of four.
func attribute(kind uint16, contents ...[]byte) []byte {
	a := make([]byte, 4)
	for _, c := range contents {
		a = append(a, c...)
	}
	binary.LittleEndian.PutUint16(a, uint16(len(a)))
	binary.LittleEndian.PutUint16(a[2:], kind)
	for len(a)%4 != 0 {
		a = append(a, 0)
	}
	return a
}
