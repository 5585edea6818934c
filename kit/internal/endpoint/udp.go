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
// which lasts until nothing has passed for a while.
func ServeUDP(socket *net.UDPConn, targets *Targets, source Source) error {
	u := &udp{socket: socket, targets: targets, source: source, open: map[netip.AddrPort]net.Conn{}}
	buffer := make([]byte, largestDatagram)
	for {
		n, client, err := socket.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			continue // an ICMP error about an earlier answer; the socket is whole
		}
		if server := u.association(client); server != nil {
			_ = server.SetReadDeadline(time.Now().Add(idleLimit))
			_, _ = server.Write(buffer[:n]) // datagrams may be lost; the reader sees what is wrong
		}
	}
}

type udp struct {
	socket  *net.UDPConn
	targets *Targets
	source  Source

	mu   sync.Mutex
	open map[netip.AddrPort]net.Conn
}

// association gives the connection that serves a client; nil when there is no room or no target.
func (u *udp) association(client netip.AddrPort) net.Conn {
	u.mu.Lock()
	defer u.mu.Unlock()
	if server := u.open[client]; server != nil {
		return server
	}
	if len(u.open) >= mostAssociations {
		return nil
	}
	ip := net.IP(client.Addr().Unmap().AsSlice())
	server, err := u.targets.connect(context.Background(), u.source, "udp", ip)
	if err != nil {
		return nil
	}
	u.open[client] = server
	go u.answer(client, server)
	return server
}

func (u *udp) answer(client netip.AddrPort, server net.Conn) {
	defer func() {
		u.mu.Lock()
		delete(u.open, client)
		u.mu.Unlock()
		server.Close()
	}()
	buffer := make([]byte, largestDatagram)
	for {
		_ = server.SetReadDeadline(time.Now().Add(idleLimit))
		n, err := server.Read(buffer)
		if err != nil {
			return // idle, or refused by the target: the next datagram begins anew, with another target
		}
		_, _ = u.socket.WriteToUDPAddrPort(buffer[:n], client)
	}
}
