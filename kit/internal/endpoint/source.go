// Package endpoint carries traffic from an address of the outer world into a deployment's own network.
package endpoint

import (
	"context"
	"net"
	"syscall"
	"time"
)

// Socket options of linux/in.h that package syscall does not name.
const (
	ipFreebind          = 15
	ipBindAddressNoPort = 24
)

const dialLimit = 3 * time.Second

// Source chooses the address that a connection into the network comes from.
type Source struct {
	// Gateway is the network's own address, for clients whose address means nothing there. Without one every connection
	// comes from an address of this process.
	Gateway net.IP
	// ProxyProtocol is whether each TCP connection begins with a header that tells the client's address.
	ProxyProtocol bool
}

// dial connects to a target from the client's own address, so that the instance can tell clients apart.
//
// The network takes every address for its own (ip_nonlocal_bind and a default route of type local), hence binding to a
// foreign one needs no rights. A loopback client, or one of IPv6, comes from the gateway.
func (s Source) dial(ctx context.Context, network string, client net.IP, target string) (net.Conn, error) {
	if s.Gateway == nil {
		dialer := net.Dialer{Timeout: dialLimit}
		return dialer.DialContext(ctx, network, target)
	}
	from := client.To4()
	if from == nil || from.IsLoopback() || from.IsUnspecified() {
		from = s.Gateway
	}
	dialer := net.Dialer{Timeout: dialLimit, LocalAddr: localAddress(network, from), Control: allowForeign}
	return dialer.DialContext(ctx, network, target)
}

func localAddress(network string, ip net.IP) net.Addr {
	if network == "udp" {
		return &net.UDPAddr{IP: ip}
	}
	return &net.TCPAddr{IP: ip}
}

func allowForeign(_, _ string, raw syscall.RawConn) error {
	var failure error
	err := raw.Control(func(fd uintptr) {
		failure = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipFreebind, 1)
		if failure == nil {
			// the port is chosen at connect, so that one source port serves many targets
			failure = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
		}
	})
	if err != nil {
		return err
	}
	return failure
}
