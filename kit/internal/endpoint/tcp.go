package endpoint

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// mostConnections is how many may be open at once; filesAConnection is what each takes: two sockets and, while bytes
// are spliced, two pipes.
const (
	mostConnections  = 4096
	filesAConnection = 6
	ownFiles         = 64
)

// ServeTCP carries connections until the listener is closed. A client beyond the limit is refused at once, so that it
// knows; it is not left waiting in a queue that idle ones have filled.
func ServeTCP(listener *net.TCPListener, targets *Targets, source Source) error {
	return serveTCP(listener, targets, source, newRoom(connectionLimit()))
}

func serveTCP(listener *net.TCPListener, targets *Targets, source Source, room *room) error {
	for {
		client, err := listener.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM),
			errors.Is(err, syscall.ENOBUFS):
			time.Sleep(100 * time.Millisecond) // the machine is short of something; accepting again at once would spin
			continue
		case errors.Is(err, syscall.ECONNABORTED):
			continue
		case err != nil:
			return err
		}
		if !room.admit(client) {
			reset(client)
			continue
		}
		go func() {
			defer room.release(client)
			carry(client, targets, source)
		}()
	}
}

func connectionLimit() int {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) != nil || files.Cur > mostConnections*filesAConnection+ownFiles {
		return mostConnections
	}
	if files.Cur < ownFiles+filesAConnection {
		return 1
	}
	return int(files.Cur-ownFiles) / filesAConnection
}

func carry(client *net.TCPConn, targets *Targets, source Source) {
	defer client.Close()
	ip := client.RemoteAddr().(*net.TCPAddr).IP
	connection, err := targets.connect(context.Background(), source, "tcp", ip)
	if err != nil {
		reset(client)
		return
	}
	server := connection.(*net.TCPConn)
	defer server.Close()
	if source.ProxyProtocol {
		if _, err := server.Write(proxyHeader(client)); err != nil {
			reset(client)
			return
		}
	}
	var directions sync.WaitGroup
	directions.Add(2)
	go func() {
		defer directions.Done()
		pump(server, client)
	}()
	go func() {
		defer directions.Done()
		pump(client, server)
	}()
	directions.Wait()
}

// pump carries one direction to its end and passes the end on: an orderly one as such, while the other direction goes
// on; a broken one breaks the connection.
func pump(to, from *net.TCPConn) {
	_, err := io.Copy(to, from)
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil && !errors.Is(err, syscall.ENOTCONN) {
		reset(to)
		reset(from)
	}
}

// reset ends a connection so that the other side sees an error, not the end of the data.
func reset(connection *net.TCPConn) {
	_ = connection.SetLinger(0)
	_ = connection.Close()
}
