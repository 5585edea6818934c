package endpoint

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	mostAssociations = 1024
	idleLimit        = 60 * time.Second
	largestDatagram  = 64 << 10
)

// ServeUDP carries datagrams until the socket is closed. Each client has an association of its own, with one target,
// which lasts until nothing has passed for a while, or until there is no room for a newer one.
func ServeUDP(socket *net.UDPConn, targets *Targets, source Source) error {
	u := &udp{socket: socket, targets: targets, source: source, open: map[peer]*association{}}
	buffer, control := make([]byte, largestDatagram), make([]byte, controlBytes)
	for {
		n, controlLength, _, client, err := socket.ReadMsgUDPAddrPort(buffer, control)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			continue // an ICMP error about an earlier answer; the socket is whole
		}
		own := peer{client: client, answerFrom: answerFrom(control[:controlLength])}
		if a := u.association(own); a != nil {
			_ = a.server.SetReadDeadline(time.Now().Add(idleLimit))
			_, _ = a.server.Write(buffer[:n]) // datagrams may be lost; the reader sees what is wrong
		}
	}
}

type udp struct {
	socket  *net.UDPConn
	targets *Targets
	source  Source

	mu   sync.Mutex
	open map[peer]*association
}

// peer is a client and the address that it spoke to, as the control message which makes that the sender of an answer.
type peer struct {
	client     netip.AddrPort
	answerFrom string
}

type association struct {
	server net.Conn
	used   time.Time
}

// association gives what serves a client; nil when there is no target.
func (u *udp) association(p peer) *association {
	u.mu.Lock()
	defer u.mu.Unlock()
	if a := u.open[p]; a != nil {
		a.used = time.Now()
		return a
	}
	if len(u.open) >= mostAssociations {
		u.endOldest()
	}
	ip := net.IP(p.client.Addr().Unmap().AsSlice())
	server, err := u.targets.connect(context.Background(), u.source, "udp", ip)
	if err != nil {
		return nil
	}
	a := &association{server: server, used: time.Now()}
	u.open[p] = a
	go u.answer(p, a)
	return a
}

// endOldest ends the association whose client has been silent longest: addresses in datagrams can be forged, and such a
// flood must not keep out those that speak on.
func (u *udp) endOldest() {
	var oldest peer
	for p, a := range u.open {
		if first := u.open[oldest]; first == nil || a.used.Before(first.used) {
			oldest = p
		}
	}
	u.open[oldest].server.Close()
	delete(u.open, oldest)
}

func (u *udp) answer(p peer, a *association) {
	defer func() {
		u.mu.Lock()
		if u.open[p] == a {
			delete(u.open, p)
		}
		u.mu.Unlock()
		a.server.Close()
	}()
	buffer := make([]byte, largestDatagram)
	for {
		_ = a.server.SetReadDeadline(time.Now().Add(idleLimit))
		n, err := a.server.Read(buffer)
		if err != nil {
			return // idle, or refused by the target: the next datagram begins anew, with another target
		}
		_, _, _ = u.socket.WriteMsgUDPAddrPort(buffer[:n], []byte(p.answerFrom), p.client)
	}
}
