package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// beginLimit is how long a client has to say what it wants.
	beginLimit = 15 * time.Second
	// idleLimit ends connections over which nothing went for so long.
	idleLimit = time.Hour
	// mostOpen connections at once, in all and for one client.
	mostOpen       = 1024
	mostOpenClient = 256
)

// Uplink carries connections from a deployment's network to the outer world.
type Uplink struct {
	Lookup Lookup
	// Own lists the machine's addresses.
	Own func() ([]netip.Addr, error)
	// Log takes one line for each connection that was refused or failed.
	Log func(line string)

	book book

	mu   sync.Mutex
	open map[netip.Addr]int
}

// New makes an uplink that asks this machine's resolver.
func New(rules Rules, log func(line string)) *Uplink {
	return &Uplink{Lookup: SystemLookup, Own: OwnAddresses, Log: log, book: newBook(rules), open: map[netip.Addr]int{}}
}

// Serve carries connections until the listener is closed.
func (u *Uplink) Serve(listener *net.TCPListener) error {
	room := make(chan struct{}, mostOpen)
	for {
		connection, err := listener.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM),
			errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ECONNABORTED):
			time.Sleep(50 * time.Millisecond) // accepting again at once would spin
			continue
		case err != nil:
			return err
		}
		select {
		case room <- struct{}{}:
		default:
			reset(connection)
			continue
		}
		go func() {
			defer func() { <-room }()
			defer connection.Close()
			u.carry(connection)
		}()
	}
}

func (u *Uplink) carry(inner *net.TCPConn) {
	source := inner.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if !u.book.sources[source] {
		u.Log(fmt.Sprintf("refused %s: it is no egress", source))
		return
	}
	_ = inner.SetDeadline(time.Now().Add(beginLimit))
	from, err := readOrigin(inner)
	if err != nil {
		if !isQuiet(err) {
			u.Log(fmt.Sprintf("refused %s: %v", source, err))
		}
		return
	}
	who, known := u.book.clients[from.client]
	if !known {
		u.Log(fmt.Sprintf("refused %s: it has no wire to here", from.client))
		return
	}
	if !u.enter(from.client) {
		u.Log(fmt.Sprintf("refused %s: it has %d connections already", who.name, mostOpenClient))
		return
	}
	defer u.leave(from.client)
	begin, asked, err := readBeginning(inner, from.port)
	subject := fmt.Sprintf("%s -> port %d", who.name, from.port)
	if asked != "" {
		subject = fmt.Sprintf("%s -> %s:%d", who.name, shown(asked), from.port)
	}
	if err != nil {
		if !isQuiet(err) {
			u.refuse(inner, begin, subject, err)
		}
		return
	}
	to, listed := who.names[place{asked, from.port}]
	if !listed {
		u.refuse(inner, begin, subject, errors.New("it is not on its list"))
		return
	}
	outer, err := u.dial(context.Background(), to)
	if err != nil {
		u.refuse(inner, begin, subject, err)
		return
	}
	defer outer.Close()
	if _, err := outer.Write(begin); err != nil {
		u.Log(fmt.Sprintf("failed %s: %v", subject, plain(err)))
		return
	}
	join(inner, outer)
}

// refuse tells the client as far as its protocol has words for it, and the log.
func (u *Uplink) refuse(inner *net.TCPConn, begin []byte, subject string, why error) {
	var forbidden forbiddenError
	word := "refused"
	if strings.HasPrefix(why.Error(), "it cannot be") && !errors.As(why, &forbidden) {
		word = "failed"
	}
	u.Log(fmt.Sprintf("%s %s: %v", word, subject, why))
	_ = inner.SetDeadline(time.Now().Add(time.Second))
	if len(begin) > 0 && begin[0] == recordHandshake {
		const alert, fatal, accessDenied = 21, 2, 49 // RFC 8446 section 6
		_, _ = inner.Write([]byte{alert, 3, 3, 0, 2, fatal, accessDenied})
	} else if len(begin) > 0 && beginsAsRequest(begin) {
		status := "403 Forbidden"
		if word == "failed" {
			status = "502 Bad Gateway"
		}
		body := fmt.Sprintf("sheaf: %s %s: %v\n", word, subject, why)
		_, _ = fmt.Fprintf(inner, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(body), body)
	}
	_ = inner.CloseWrite()
	_, _ = io.CopyN(io.Discard, inner, 64<<10) // else what is still on its way would wipe out the answer
}

// readBeginning reads until it is clear which name is asked for. What was read goes to the other end as it is.
func readBeginning(from net.Conn, port int) (begin []byte, name string, err error) {
	buffer := make([]byte, 4<<10)
	for {
		n, err := from.Read(buffer)
		begin = append(begin, buffer[:n]...)
		if n > 0 {
			name, failure := nameIn(begin, port)
			if !errors.Is(failure, errMore) {
				return begin, name, failure
			}
			if len(begin) > mostHead {
				return begin, "", errors.New("its beginning is too long")
			}
		}
		if err != nil {
			return begin, "", err
		}
	}
}

func nameIn(begin []byte, port int) (string, error) {
	if begin[0] == recordHandshake {
		name, err := helloName(begin)
		return strings.TrimSuffix(name, "."), err
	}
	host, number, err := requestHost(begin)
	if err == nil && number != "" && number != strconv.Itoa(port) {
		return host, fmt.Errorf("its HTTP asks for port %s", shown(number))
	}
	return strings.TrimSuffix(host, "."), err
}

// isQuiet tells of ends that say nothing: a probe that only connects, a client that has gone.
func isQuiet(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

func (u *Uplink) enter(client netip.Addr) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open[client] >= mostOpenClient {
		return false
	}
	u.open[client]++
	return true
}

func (u *Uplink) leave(client netip.Addr) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open[client]--; u.open[client] == 0 {
		delete(u.open, client)
	}
}

// shown makes a text that a stranger chose fit for one line of a log.
func shown(text string) string {
	const most = 100
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || r > 0x7e && r != '…' {
			return '?'
		}
		return r
	}, text)
}
