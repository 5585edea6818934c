package uplink

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second

func TestOnlyAddressesOfTheOuterWorldAreReached(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")}
	closed := []netip.Prefix{netip.MustParsePrefix("10.83.4.0/24")}
	for address, why := range map[string]string{
		"203.0.113.9": "", "2a00:1450::1": "",
		"127.0.0.1": "loopback", "::1": "loopback", "::ffff:127.0.0.1": "loopback", "0.0.0.0": "single", "::": "single",
		"169.254.169.254": "link-local", "fe80::1%eth0": "link-local", "100.100.100.200": "provider", "fd00:ec2::254": "provider",
		"10.0.0.1": "private", "172.31.255.255": "private", "192.168.1.1": "private", "100.64.0.1": "private", "fd12::1": "private",
		"224.0.0.1": "single", "255.255.255.255": "single", "ff02::1": "single",
		"64:ff9b::a00:1": "stands for", "2002:a00:1::": "stands for",
		"198.51.100.7": "of this server", "::ffff:198.51.100.7": "of this server", "2001:db8::7": "of this server",
		"10.83.4.9": "of deployments",
	} {
		got := refusal(netip.MustParseAddr(address), false, own, closed)
		if (why == "") != (got == "") || !strings.Contains(got, why) {
			t.Errorf("%s: %q, not %q", address, got, why)
		}
	}
	for address, isReached := range map[string]bool{"10.0.0.1": true, "fd12::1": true, "10.83.4.9": false, "127.0.0.1": false,
		"169.254.169.254": false, "198.51.100.7": false, "100.100.100.200": false} {
		if got := refusal(netip.MustParseAddr(address), true, own, closed); (got == "") != isReached {
			t.Errorf("private %s: %q", address, got)
		}
	}
}

// scene is an uplink on loopback, whose names lead to a server that tells what it was sent.
type scene struct {
	address string
	port    int
	lines   chan string
}

// open starts an uplink whose names lead where lookup says.
func open(t *testing.T, rules string, lookup map[string]string) scene {
	t.Helper()
	server := echo(t)
	read, err := ReadRules(strings.NewReader(strings.ReplaceAll(rules, "PORT", fmt.Sprint(server.Port))))
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	u := New(read, func(line string) { lines <- line })
	u.Own = func() ([]netip.Addr, error) { return nil, nil }
	u.Lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
		if text, ok := lookup[name]; ok {
			return []netip.Addr{netip.MustParseAddr(text)}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: name}
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() { _ = u.Serve(listener) }()
	return scene{listener.Addr().String(), server.Port, lines}
}

// echo sends back whatever comes.
func echo(t *testing.T) *net.TCPAddr {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(connection, connection)
				connection.Close()
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr)
}

// ask connects on behalf of a client and sends a text; it gives what comes back before the end.
func (s scene) ask(t *testing.T, client string, port int, text []byte) []byte {
	t.Helper()
	connection, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(patience))
	header := append([]byte(proxySignature), 0x21, 0x11, 0, 12)
	header = append(header, netip.MustParseAddr(client).AsSlice()...)
	header = append(header, 127, 0, 0, 1, 0x10, 0)
	header = binary.BigEndian.AppendUint16(header, uint16(port))
	_, _ = connection.Write(append(header, text...))
	_ = connection.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(bufio.NewReader(connection))
	return answer
}

func (s scene) told(t *testing.T) string {
	t.Helper()
	select {
	case line := <-s.lines:
		return line
	case <-time.After(patience):
		t.Fatal("nothing was told")
		return ""
	}
}

const twoClients = `{"sources":[{"address":"127.0.0.1"}],"subnet":"10.83.4.0/24","clients":[
	{"name":"web.1","address":"10.83.4.3","names":[{"name":"api.example.com","port":PORT},{"name":"gone.example.com","port":PORT}]},
	{"name":"jobs.1","address":"10.83.4.4","names":[{"name":"inner.example.com","port":PORT}]}]}`

func request(host string) []byte { return []byte("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n") }

func TestWhatIsNotListedForAClientIsRefusedAndTold(t *testing.T) {
	s := open(t, twoClients, map[string]string{"api.example.com": "127.0.0.1", "inner.example.com": "10.0.0.1"})
	for _, one := range []struct {
		client string
		port   int
		text   []byte
		line   string
	}{
		{"10.83.4.3", s.port, request("other.example.com"), "refused web.1 -> other.example.com:PORT: it is not on its list"},
		{"10.83.4.3", 1, request("api.example.com"), "refused web.1 -> api.example.com:1: it is not on its list"},
		{"10.83.4.4", s.port, request("api.example.com"), "refused jobs.1 -> api.example.com:PORT: it is not on its list"},
		{"10.83.4.3", s.port, hello(t, &tls.Config{ServerName: "other.example.com"}), "refused web.1 -> other.example.com:PORT: it is not on its list"},
		{"10.83.4.3", s.port, hello(t, &tls.Config{}), "refused web.1 -> port PORT: its TLS tells no name (SNI)"},
		{"10.83.4.3", s.port, request("api.example.com:22"), "refused web.1 -> api.example.com:PORT: its HTTP asks for port 22"},
		{"10.83.4.3", s.port, []byte("SSH-2.0-x\r\n"), "refused web.1 -> port PORT: it is neither TLS nor HTTP"},
		{"10.83.4.9", s.port, request("api.example.com"), "refused 10.83.4.9: it has no wire to here"},
		{"10.83.4.3", s.port, request("api.example.com"), "refused web.1 -> api.example.com:PORT: 127.0.0.1 is a loopback address"},
		{"10.83.4.4", s.port, request("inner.example.com"), "refused jobs.1 -> inner.example.com:PORT: 10.0.0.1 is a private address"},
		{"10.83.4.3", s.port, request("gone.example.com"), "failed web.1 -> gone.example.com:PORT: it cannot be resolved: no such host"},
		{"10.83.4.3", s.port, request("a\x1b[31m.example.com"), "refused web.1 -> a?[31m.example.com:PORT: it is not on its list"},
	} {
		answer := s.ask(t, one.client, one.port, one.text)
		want := strings.ReplaceAll(one.line, "PORT", fmt.Sprint(s.port))
		if line := s.told(t); line != want {
			t.Errorf("%q, not %q", line, want)
		}
		switch {
		case one.text[0] == recordHandshake:
			if len(answer) != 7 || answer[0] != 21 {
				t.Errorf("%q: no alert but %x", want, answer)
			}
		case one.text[0] == 'G' && !strings.Contains(one.line, "no wire"):
			if !strings.HasPrefix(string(answer), "HTTP/1.1 40") && !strings.HasPrefix(string(answer), "HTTP/1.1 502") {
				t.Errorf("%q: %q", want, answer)
			}
		}
	}
}

func TestAProbeAndASilentClientAreNotWorthALine(t *testing.T) {
	s := open(t, twoClients, nil)
	connection, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	connection.Close()
	s.ask(t, "10.83.4.3", s.port, nil)
	s.ask(t, "10.83.4.9", s.port, nil)
	if line := s.told(t); !strings.Contains(line, "10.83.4.9") {
		t.Error(line)
	}
}

func TestAStrangerToTheRulesIsNoEgress(t *testing.T) {
	s := open(t, `{"sources":[{"address":"10.83.4.2"}],"subnet":"10.83.4.0/24","clients":[]}`, nil)
	s.ask(t, "10.83.4.3", 443, request("api.example.com"))
	if line := s.told(t); line != "refused 127.0.0.1: it is no egress" {
		t.Error(line)
	}
}

func TestJoinedConnectionsPassBytesAndEndsOn(t *testing.T) {
	target := echo(t)
	near, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	go func() {
		inner, err := near.AcceptTCP()
		if err != nil {
			return
		}
		outer, err := net.DialTCP("tcp", nil, target)
		if err != nil {
			return
		}
		join(inner, outer)
		inner.Close()
		outer.Close()
	}()
	client, err := net.Dial("tcp", near.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(patience))
	text := strings.Repeat("there and back ", 50_000)
	go func() {
		_, _ = io.WriteString(client, text)
		_ = client.(*net.TCPConn).CloseWrite()
	}()
	back, err := io.ReadAll(client)
	if err != nil || string(back) != text {
		t.Error(len(back), err)
	}
}

func TestOneClientCannotTakeAllTheRoom(t *testing.T) {
	u := New(Rules{}, func(string) {})
	greedy, other := netip.MustParseAddr("10.83.4.3"), netip.MustParseAddr("10.83.4.4")
	for i := 0; i < mostOpenClient; i++ {
		if !u.enter(greedy) {
			t.Fatal(i)
		}
	}
	if u.enter(greedy) || !u.enter(other) {
		t.Error("the limit is not each client's own")
	}
	u.leave(greedy)
	if !u.enter(greedy) {
		t.Error("what was given back is not there")
	}
}

func TestRulesThatAreNoneAreRefused(t *testing.T) {
	if _, err := ReadRules(strings.NewReader(`{"sources":[{"address":"x"}]}`)); err == nil || errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
