package channel

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second

// host is the other end of a served socket.
type host struct {
	*testing.T
	connection *net.UnixConn
	lines      *bufio.Reader
	served     chan error
}

func connect(t *testing.T, handle func(*Session, Request)) *host {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	connection, err := net.DialUnix("unix", nil, listener.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	guest, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t, connection, bufio.NewReaderSize(connection, 2<<20), make(chan error, 1)}
	go func() { h.served <- Serve(Connection{guest}, handle) }()
	t.Cleanup(func() {
		connection.Close()
		guest.Close()
	})
	return h
}

func (h *host) send(text string) {
	h.Helper()
	if _, err := io.WriteString(h.connection, text); err != nil {
		h.Fatal(err)
	}
}

func (h *host) line() string {
	h.Helper()
	_ = h.connection.SetReadDeadline(time.Now().Add(patience))
	line, err := h.lines.ReadString('\n')
	if err != nil {
		h.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (h *host) expect(lines ...string) {
	h.Helper()
	for _, want := range lines {
		if got := h.line(); got != want {
			h.Fatalf("%s, not %s", got, want)
		}
	}
}

func echo(s *Session, r Request) { s.Answer(r, r.Op) }

func TestNothingIsAnsweredBeforeTheSync(t *testing.T) {
	h := connect(t, echo)
	h.send(`{"id":1,"op":"a"}` + "\nnonsense\n[]\n" + `{"sync":"n"}` + "\n")
	h.expect("", `{"sync":"n"}`)
	h.send(`{"id":2,"op":"b"}` + "\n")
	h.expect(`{"id":2,"ok":"b"}`)
}

func TestALineThatIsTooLongIsRefusedAndTheNextOneRead(t *testing.T) {
	h := connect(t, func(s *Session, r Request) { s.Fail(r, "OP_UNKNOWN", errors.New(r.Op)) })
	h.send(`{"sync":"n"}` + "\n" + strings.Repeat("x", 3<<20) + "\n" + `{"id":1,"op":"b"}` + "\n")
	h.expect("", `{"sync":"n"}`)
	got := h.line() + h.line() // in any order
	if !strings.Contains(got, `"message":"line-too-long"`) || !strings.Contains(got, `"message":"b"`) {
		t.Error(got)
	}
}

func TestTheLongestLineIsRead(t *testing.T) {
	h := connect(t, func(s *Session, r Request) { s.Answer(r, len(r.Line)) })
	head, tail := `{"id":1,"op":"`, `"}`
	h.send(`{"sync":"n"}` + "\n" + head + strings.Repeat("x", longestLine-len(head+tail)) + tail + "\n")
	h.expect("", `{"sync":"n"}`, `{"id":1,"ok":1048576}`)
}

func TestASyncEndsWhatTheSessionBeforeItDid(t *testing.T) {
	ended := make(chan struct{})
	h := connect(t, func(s *Session, r Request) {
		<-s.Context.Done()
		close(ended)
		s.Answer(r, "too late")
	})
	h.send(`{"sync":"a"}` + "\n" + `{"id":1,"op":"wait"}` + "\n")
	h.expect("", `{"sync":"a"}`)
	h.send(`{"sync":"b"}` + "\n")
	h.expect("", `{"sync":"b"}`)
	select {
	case <-ended:
	default:
		t.Error("the new session began before the old one had ended")
	}
}

func TestASyncGetsThroughToWhoFloodsAHostThatDoesNotRead(t *testing.T) {
	h := connect(t, func(s *Session, r Request) {
		for s.Send(map[string]string{"flood": strings.Repeat("x", 4000)}) == nil {
		}
	})
	h.send(`{"sync":"a"}` + "\n" + `{"id":1,"op":"flood"}` + "\n")
	h.expect("", `{"sync":"a"}`)
	h.send("\n" + `{"sync":"b"}` + "\n")
	for h.line() != `{"sync":"b"}` {
	}
}

func TestTheSessionEndsWhenTheHostGoesWhileItsInputWaits(t *testing.T) {
	ended := make(chan struct{})
	h := connect(t, func(s *Session, r Request) {
		<-s.Context.Done() // takes no input
		close(ended)
	})
	h.send(`{"sync":"a"}` + "\n" + `{"id":1,"op":"x"}` + "\n")
	h.expect("", `{"sync":"a"}`)
	tooMuch := strings.Repeat(`{"id":1,"stdin":"`+strings.Repeat("eHh4", 10_000)+`"}`+"\n", 60)
	_ = h.connection.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := io.WriteString(h.connection, tooMuch); err == nil {
		t.Error("memory without bounds")
	}
	h.connection.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the request goes on without a host")
	}
}

func TestASyncIsSeenBehindAllTheInputThatMayBeOnTheWay(t *testing.T) {
	h := connect(t, func(s *Session, r Request) { <-s.Context.Done() })
	piece := `{"id":1,"stdin":"` + strings.Repeat("eHh4", 1<<12) + `"}` + "\n" // 12 KiB
	h.send(`{"sync":"a"}` + "\n")
	// a sync that comes before the last one's answer was written takes that away
	h.expect("", `{"sync":"a"}`)
	h.send(`{"id":1,"op":"x"}` + "\n" + strings.Repeat(piece, 21) + `{"sync":"b"}` + "\n")
	h.expect("", `{"sync":"b"}`)
}

func TestInputsReachTheirRequestInOrder(t *testing.T) {
	h := connect(t, func(s *Session, r Request) {
		var seen []string
		for len(seen) < 3 {
			input, _ := r.Inputs.Next(s.Context.Done())
			seen = append(seen, input.Signal+string(input.Stdin))
		}
		s.Answer(r, seen)
	})
	h.send(`{"sync":"a"}` + "\n" + `{"id":"q","op":"x","stdin":true}` + "\n")
	h.send(`{"id":"other","stdin":"eA=="}` + "\n" + `{"id":"q","stdin":"eA=="}` + "\n" +
		`{"id":"q","signal":"INT"}` + "\n" + `{"id":"q","stdin":null}` + "\n")
	h.expect("", `{"sync":"a"}`, `{"id":"q","ok":["x","INT",""]}`)
}

func TestRequestsAreAnsweredSideBySide(t *testing.T) {
	free := make(chan struct{})
	h := connect(t, func(s *Session, r Request) {
		if r.Op == "slow" {
			<-free
		} else {
			defer close(free)
		}
		s.Answer(r, r.Op)
	})
	h.send(`{"sync":"a"}` + "\n" + `{"id":1,"op":"slow"}` + "\n" + `{"id":2,"op":"fast"}` + "\n")
	h.expect("", `{"sync":"a"}`)
	var first struct{ OK string }
	if err := json.Unmarshal([]byte(h.line()), &first); err != nil || first.OK != "fast" {
		t.Errorf("%+v %v", first, err)
	}
	h.expect(`{"id":1,"ok":"slow"}`)
}

func TestServeReturnsWhenTheSocketEnds(t *testing.T) {
	h := connect(t, echo)
	h.connection.Close()
	select {
	case <-h.served:
	case <-time.After(patience):
		t.Error("it still serves")
	}
}
