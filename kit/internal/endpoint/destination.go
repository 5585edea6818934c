package endpoint

import (
	"net"
	"net/netip"
	"syscall"
	"unsafe"
)

// Of linux/in6.h; package syscall has no names for them.
const (
	ipv6RecvPktinfo = 49
	ipv6Pktinfo     = 50
)

// controlBytes has room for the message that names a datagram's destination.
const controlBytes = 64

// tellDestinations lets each datagram come with the address that it was sent to. A socket on all addresses would answer from
// whichever the routes prefer, and clients pass over answers of strangers.
func tellDestinations(socket *net.UDPConn) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Control(func(fd uintptr) {
		if failure = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, ipv6RecvPktinfo, 1); failure != nil {
			failure = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1)
		}
	})
	if err != nil {
		return err
	}
	return failure
}

// answerFrom makes the control message of an answer out of that of a question: from the address that was asked, by whichever
// device leads to the client. It is a string so that it can be a part of a key.
func answerFrom(control []byte) string {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return ""
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == syscall.IPPROTO_IP && m.Header.Type == syscall.IP_PKTINFO && len(m.Data) >= 12:
			answer := make([]byte, 12) // device, address of the answer, destination of the question
			copy(answer[4:8], m.Data[4:8])
			return controlMessage(m.Header, answer)
		case m.Header.Level == syscall.IPPROTO_IPV6 && m.Header.Type == ipv6Pktinfo && len(m.Data) >= 20:
			answer := make([]byte, 20) // address, device
			copy(answer, m.Data[:16])
			if address, ok := netip.AddrFromSlice(m.Data[:16]); ok && address.IsLinkLocalUnicast() {
				copy(answer[16:], m.Data[16:20]) // which means something on its own link only
			}
			return controlMessage(m.Header, answer)
		}
	}
	return ""
}

func controlMessage(header syscall.Cmsghdr, body []byte) string {
	message := make([]byte, syscall.CmsgSpace(len(body)))
	header.SetLen(syscall.CmsgLen(len(body)))
	*(*syscall.Cmsghdr)(unsafe.Pointer(&message[0])) = header
	copy(message[syscall.CmsgLen(0):], body)
	return string(message)
}
