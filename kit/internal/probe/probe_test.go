package probe

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// answer serves one text to every connection.
func answer(t *testing.T, text string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = c.Read(make([]byte, 1000))
				_, _ = io.WriteString(c, text)
				c.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestHTTP(t *testing.T) {
	for text, want := range map[string]int{
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n": 200,
		"HTTP/1.0 503 No\r\n\r\nbody":                  503,
		"SSH-2.0-x\r\n":                                0,
		"HTTP/1.1\r\n":                                 0,
		"HTTP/1.1 abc\r\n":                             0,
		"HTTP/1.1 20":                                  0,
		"":                                             0,
	} {
		got, err := HTTP(within(t, 10*time.Second), answer(t, text), "/")
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestAServerThatSaysNothingIsGivenUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, err := HTTP(within(t, 50*time.Millisecond), listener.Addr().String(), "/"); err == nil {
		t.Error("silence is an answer")
	}
	if err := TCP(within(t, 10*time.Second), listener.Addr().String()); err != nil {
		t.Error(err)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{First: time.Second, Limit: 5 * time.Second}
	for _, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := b.Next(); got != want*time.Second {
			t.Errorf("%s, not %ds", got, want)
		}
	}
	b.Reset()
	if got := b.Next(); got != time.Second {
		t.Error(got)
	}
}
