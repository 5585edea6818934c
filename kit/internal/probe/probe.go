// Package probe asks whether somebody serves at an address.
package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// TCP tells whether a connection is accepted before the context ends.
func TCP(ctx context.Context, address string) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// HTTP asks for a page and gives the status of the answer, 100 to 999.
//
// Written out by hand: net/http would double the size of the supervisor, which every guest holds in memory.
func HTTP(ctx context.Context, address, path string) (int, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = connection.SetDeadline(deadline)
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: " + address +
		"\r\nUser-Agent: sheaf\r\nAccept: */*\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(connection, request); err != nil {
		return 0, err
	}
	answer := bufio.NewReaderSize(io.LimitReader(connection, 64<<10), 1024)
	line, err := answer.ReadString('\n')
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(line)
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/") {
		return 0, fmt.Errorf("%s does not speak HTTP", address)
	}
	status, err := strconv.Atoi(fields[1])
	if err != nil || status < 100 || status > 999 {
		return 0, fmt.Errorf("%s does not speak HTTP", address)
	}
	_, _ = io.Copy(io.Discard, answer) // a server that is cut off in its answer would log an error each time
	return status, nil
}

// Backoff is a waiting time that doubles up to a limit.
type Backoff struct {
	First, Limit time.Duration
	next         time.Duration
}

// Next gives the time to wait now.
func (b *Backoff) Next() time.Duration {
	wait := b.next
	if wait == 0 {
		wait = b.First
	}
	b.next = min(2*wait, b.Limit)
	return wait
}

// Reset begins again with the first time.
func (b *Backoff) Reset() { b.next = 0 }

func min(a, b time.Duration) time.Duration {
	if a < b {
		return a
	}
	return b
}
