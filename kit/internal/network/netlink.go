package network

import (
	"encoding/binary"
	"fmt"
	"syscall"
)

// message is a request to the kernel's rtnetlink: a header of the request's own kind and attributes.
type message struct {
	kind       uint16
	flags      uint16
	header     []byte
	attributes []byte
}

func (m *message) add(kind uint16, value []byte) {
	length := 4 + len(value)
	attribute := make([]byte, (length+3)&^3)
	binary.LittleEndian.PutUint16(attribute[0:], uint16(length))
	binary.LittleEndian.PutUint16(attribute[2:], kind)
	copy(attribute[4:], value)
	m.attributes = append(m.attributes, attribute...)
}

// send asks the kernel and waits for its acknowledgement.
func (m *message) send() error {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	if err := syscall.Sendto(socket, m.bytes(), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(socket, answer, 0)
	if err != nil {
		return err
	}
	if n < syscall.NLMSG_HDRLEN+4 || binary.LittleEndian.Uint16(answer[4:]) != syscall.NLMSG_ERROR {
		return fmt.Errorf("netlink: unexpected answer")
	}
	if code := int32(binary.LittleEndian.Uint32(answer[syscall.NLMSG_HDRLEN:])); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}

func (m *message) bytes() []byte {
	length := syscall.NLMSG_HDRLEN + len(m.header) + len(m.attributes)
	b := make([]byte, syscall.NLMSG_HDRLEN, length)
	binary.LittleEndian.PutUint32(b[0:], uint32(length))
	binary.LittleEndian.PutUint16(b[4:], m.kind)
	binary.LittleEndian.PutUint16(b[6:], m.flags|syscall.NLM_F_REQUEST|syscall.NLM_F_ACK)
	binary.LittleEndian.PutUint32(b[8:], 1)
	return append(append(b, m.header...), m.attributes...)
}
