package endpoint

import (
	"net"
	"net/netip"
	"sort"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	idleEnough = 10 * time.Second
	// searchPause keeps a flood from making us look for idle connections all the time.
	searchPause = 100 * time.Millisecond
	// atOnce is how many idle connections one search ends.
	atOnce = 64
)

// room counts connections. While half of it is free everybody may take as many as they like; beyond that no client may have
// more than an eighth, and when it is full those that have been idle longest go.
type room struct {
	limit int
	// idle is how long nothing must have come or gone before a connection makes room for another one.
	idle time.Duration

	mu       sync.Mutex
	open     map[*net.TCPConn]netip.Prefix
	byClient map[netip.Prefix]int
	searched time.Time
}

func newRoom(limit int) *room {
	return &room{limit: limit, idle: idleEnough, open: map[*net.TCPConn]netip.Prefix{}, byClient: map[netip.Prefix]int{}}
}

// admit takes a connection in. @returns false when there is no room for it
func (r *room) admit(connection *net.TCPConn) bool {
	client := clientOf(connection)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open) >= r.limit {
		r.endIdle(time.Now())
	}
	share := r.limit / 8
	if share < 1 {
		share = 1
	}
	if len(r.open) >= r.limit || (len(r.open) >= r.limit/2 && r.byClient[client] >= share) {
		return false
	}
	r.open[connection] = client
	r.byClient[client]++
	return true
}

// release gives a connection's room back; once is enough.
func (r *room) release(connection *net.TCPConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(connection)
}

func (r *room) remove(connection *net.TCPConn) {
	client, isOpen := r.open[connection]
	if !isOpen {
		return
	}
	delete(r.open, connection)
	if r.byClient[client]--; r.byClient[client] == 0 {
		delete(r.byClient, client)
	}
}

// endIdle ends the connections that have been idle longest.
func (r *room) endIdle(now time.Time) {
	if now.Sub(r.searched) < searchPause {
		return
	}
	r.searched = now
	type idler struct {
		connection *net.TCPConn
		idle       time.Duration
	}
	var idlers []idler
	for connection := range r.open {
		if idle := idleTime(connection); idle >= r.idle {
			idlers = append(idlers, idler{connection, idle})
		}
	}
	sort.Slice(idlers, func(i, j int) bool { return idlers[i].idle > idlers[j].idle })
	for i, one := range idlers {
		if i == atOnce {
			return
		}
		reset(one.connection)
		r.remove(one.connection)
	}
}

// clientOf tells whose a connection is: an address of IPv4, or the network of IPv6 that one subscriber has.
func clientOf(connection *net.TCPConn) netip.Prefix {
	address := connection.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.WithZone("").Prefix(bits)
	return prefix
}

// idleTime tells how long ago the last byte came or went. The kernel keeps count of it, since spliced bytes never pass by us.
func idleTime(connection *net.TCPConn) time.Duration {
	raw, err := connection.SyscallConn()
	if err != nil {
		return 0
	}
	var info [256]byte // struct tcp_info of linux/tcp.h
	const lastDataSent, lastDataReceived = 44, 52
	length := uint32(len(info))
	failure := raw.Control(func(fd uintptr) {
		_, _, code := syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&length)), 0)
		if code != 0 {
			err = code
		}
	})
	if err != nil || failure != nil || length < lastDataReceived+4 {
		return 0
	}
	milliseconds := func(at int) time.Duration {
		return time.Duration(*(*uint32)(unsafe.Pointer(&info[at]))) * time.Millisecond
	}
	if sent, received := milliseconds(lastDataSent), milliseconds(lastDataReceived); sent < received {
		return sent
	} else {
		return received
	}
}
