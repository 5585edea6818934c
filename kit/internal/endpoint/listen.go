package endpoint

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// ErrAddressTaken is an address and port that another program listens on.
var ErrAddressTaken = errors.New("address already in use")

// Listen opens the socket of an endpoint in the network that this process is in. transport is tcp or udp.
func Listen(transport, address string) (*os.File, error) {
	file, err := listen(transport, address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %w", address, ErrAddressTaken)
	}
	return file, err
}

func listen(transport, address string) (*os.File, error) {
	network := transport
	if host, _, err := net.SplitHostPort(address); err == nil && net.ParseIP(host).To4() != nil {
		network += "4" // 0.0.0.0 would otherwise open all addresses of IPv6 too
	}
	if transport == "udp" {
		socket, err := net.ListenPacket(network, address)
		if err != nil {
			return nil, err
		}
		defer socket.Close()
		if err := tellDestinations(socket.(*net.UDPConn)); err != nil {
			return nil, err
		}
		return socket.(*net.UDPConn).File()
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	return listener.(*net.TCPListener).File()
}

// Serve carries what comes to a socket that Listen opened, until it breaks. The file is closed.
func Serve(transport string, socket *os.File, targets *Targets, source Source) error {
	if transport == "udp" {
		connection, err := net.FilePacketConn(socket)
		socket.Close()
		if err != nil {
			return err
		}
		return ServeUDP(connection.(*net.UDPConn), targets, source)
	}
	listener, err := net.FileListener(socket)
	socket.Close()
	if err != nil {
		return err
	}
	return ServeTCP(listener.(*net.TCPListener), targets, source)
}
