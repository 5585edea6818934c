package channel

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// ErrHostGone is what a transport's Read gives when the host has let go; a later Read may find it again.
var ErrHostGone = errors.New("the host is gone")

// Transport carries bytes between the host and the guest.
type Transport interface {
	io.ReadWriteCloser
	SetWriteDeadline(time.Time) error
	// IsHostGone tells whether the host has let go, without reading what it may have sent before.
	IsHostGone() bool
}

// Port is a virtio serial port, which outlives its hosts.
type Port struct {
	*os.File
	raw    syscall.RawConn
	isGone bool
}

// OpenPort opens a port such as /dev/vport0p1.
func OpenPort(path string) (*Port, error) {
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Port{file, raw, true}, nil
}

// Read waits for bytes from a host. It gives ErrHostGone once when a host lets go.
//
// A port without a host reads as ended for as long as there is none (drivers/char/virtio_console.c,
// port_fops_read); so after the first such answer, the next byte's event is waited for.
func (p *Port) Read(b []byte) (int, error) {
	var n int
	var failure error
	err := p.raw.Read(func(fd uintptr) bool {
		n, failure = syscall.Read(int(fd), b)
		switch {
		case failure == syscall.EAGAIN || failure == syscall.EINTR:
			return false
		case failure != nil:
			return true
		case n > 0:
			p.isGone = false
			return true
		case p.isGone:
			return false
		default:
			p.isGone, failure = true, ErrHostGone
			return true
		}
	})
	if err != nil {
		return 0, err
	}
	if failure != nil {
		return 0, failure
	}
	return n, nil
}

// IsHostGone asks the port.
func (p *Port) IsHostGone() bool { return hasHungUp(p.raw) }

// Connection is a client of the unix socket that drivers without virtio ports use.
type Connection struct {
	*net.UnixConn
}

// IsHostGone asks the socket.
func (c Connection) IsHostGone() bool {
	raw, err := c.SyscallConn()
	return err != nil || hasHungUp(raw)
}

const (
	pollHangUp   = 0x10
	pollPeerShut = 0x2000
)

func hasHungUp(raw syscall.RawConn) bool {
	ask := struct {
		fd              int32
		events, revents int16
	}{events: pollPeerShut}
	err := raw.Control(func(fd uintptr) {
		ask.fd = int32(fd)
		_, _, _ = syscall.Syscall(syscall.SYS_POLL, uintptr(unsafe.Pointer(&ask)), 1, 0)
	})
	return err != nil || ask.revents&(pollHangUp|pollPeerShut) != 0
}
