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
	raw  syscall.RawConn
	host presence
}

// presence is what is known of a port's host.
type presence int

const (
	absent presence = iota
	// arriving: bytes have come, the news that there is a host has not. The kernel hands bytes on at once and such
	// news from a work queue (drivers/char/virtio_console.c), so either may be first.
	arriving
	present
)

// arrivalLimit is how long the news of a host may be behind its bytes. Later, they are those of one that has gone again.
const arrivalLimit = 2 * time.Second

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
	return &Port{file, raw, absent}, nil
}

// Read waits for bytes from a host. It gives ErrHostGone once when a host lets go.
func (p *Port) Read(b []byte) (int, error) {
	for {
		var deadline time.Time
		if p.host == arriving {
			deadline = time.Now().Add(arrivalLimit)
		}
		if err := p.SetReadDeadline(deadline); err != nil {
			return 0, err
		}
		n, err := p.readOnce(b)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if p.host == arriving {
			p.host = absent
			return 0, ErrHostGone
		}
	}
}

// readOnce reads, and learns from how it goes whether there is a host: a port without one reads as ended for as long
// as that lasts, so the first such answer after a host is its end, and behind all others the next event is waited for.
func (p *Port) readOnce(b []byte) (int, error) {
	var n int
	var failure error
	err := p.raw.Read(func(fd uintptr) bool {
		for n, failure = syscall.Read(int(fd), b); failure == syscall.EINTR; {
			n, failure = syscall.Read(int(fd), b)
		}
		switch {
		case failure == syscall.EAGAIN:
			p.host = present
			return false
		case failure != nil:
			return true
		case n > 0:
			if p.host == absent {
				p.host = arriving
			}
			return true
		case p.host == present:
			p.host, failure = absent, ErrHostGone
			return true
		default:
			return false
		}
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// IsHostGone asks the port. Only the one who reads may call it.
func (p *Port) IsHostGone() bool {
	if !hasHungUp(p.raw) {
		p.host = present
		return false
	}
	return p.host != arriving
}

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
