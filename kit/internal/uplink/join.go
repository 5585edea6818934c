package uplink

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// join carries bytes both ways until both sides have ended, or nothing has gone either way for idleLimit.
func join(a, b *net.TCPConn) {
	var last atomic.Int64
	touch := func() {
		now := time.Now()
		last.Store(now.UnixNano())
	}
	touch()
	var directions sync.WaitGroup
	directions.Add(2)
	for _, way := range [][2]*net.TCPConn{{a, b}, {b, a}} {
		from, to := way[0], way[1]
		go func() {
			defer directions.Done()
			if pump(to, from, touch, &last) {
				_ = to.CloseWrite()
				return
			}
			reset(a)
			reset(b)
		}()
	}
	directions.Wait()
}

// pump carries one direction. @returns whether it came to an orderly end
func pump(to, from *net.TCPConn, touch func(), last *atomic.Int64) bool {
	buffer := make([]byte, 32<<10)
	for {
		_ = from.SetReadDeadline(time.Unix(0, last.Load()).Add(idleLimit))
		n, err := from.Read(buffer)
		if n > 0 {
			touch()
			_ = to.SetWriteDeadline(time.Now().Add(idleLimit))
			if _, failure := to.Write(buffer[:n]); failure != nil {
				return false
			}
		}
		var timeout net.Error
		switch {
		case errors.Is(err, io.EOF):
			return true
		case errors.As(err, &timeout) && timeout.Timeout() && time.Since(time.Unix(0, last.Load())) < idleLimit:
			continue // the other direction is alive
		case err != nil:
			return false
		}
	}
}

// reset ends a connection so that the other side sees an error, not the end of the data.
func reset(connection *net.TCPConn) {
	_ = connection.SetLinger(0)
	_ = connection.Close()
}
