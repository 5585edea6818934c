package endpoint

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

var loopback = Source{Gateway: net.IPv4(127, 0, 0, 1)}

const patience = 10 * time.Second

// serve starts an endpoint in front of targets and gives its address.
func serve(t *testing.T, transport string, targets ...string) string {
	t.Helper()
	socket, err := Listen(transport, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := addressOf(t, transport, socket)
	go Serve(transport, socket, NewTargets(targets), loopback)
	return address
}

// serveIn starts an endpoint with a room of its own.
func serveIn(t *testing.T, room *room, targets ...string) string {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go serveTCP(listener, NewTargets(targets), loopback, room)
	return listener.Addr().String()
}

func addressOf(t *testing.T, transport string, socket *os.File) string {
	t.Helper()
	if transport == "udp" {
		copy, err := net.FilePacketConn(socket)
		if err != nil {
			t.Fatal(err)
		}
		defer copy.Close()
		return copy.LocalAddr().String()
	}
	copy, err := net.FileListener(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer copy.Close()
	return copy.Addr().String()
}

// instance accepts connections and hands each to a function.
func instance(t *testing.T, handle func(*net.TCPConn)) string {
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
			go handle(connection)
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = connection.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { connection.Close() })
	return connection.(*net.TCPConn)
}

// dialFrom connects from a loopback address of its own, as another client.
func dialFrom(last byte, address string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}}
	return dialer.Dial("tcp", address)
}

// unused gives an address on which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestAnAnswerComesThroughAfterTheClientHasSaidAll(t *testing.T) {
	question := bytes.Repeat([]byte("question "), 200_000)
	address := serve(t, "tcp", instance(t, func(c *net.TCPConn) {
		defer c.Close()
		heard, _ := io.ReadAll(c) // to the client's end
		_, _ = c.Write(heard)
	}))
	client := dial(t, address)

	_, _ = client.Write(question)
	_ = client.CloseWrite()
	answer, err := io.ReadAll(client)

	if err != nil || !bytes.Equal(answer, question) {
		t.Errorf("%d bytes, %v", len(answer), err)
	}
}

func TestABrokenConnectionIsBrokenForTheClientToo(t *testing.T) {
	address := serve(t, "tcp", instance(t, func(c *net.TCPConn) {
		_, _ = io.CopyN(io.Discard, c, 1)
		reset(c)
	}))
	client := dial(t, address)

	_, _ = client.Write([]byte("x"))
	_, err := io.ReadAll(client)

	if !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

func TestTargetsAreTakenInTurnAndADeadOneIsPassedOver(t *testing.T) {
	named := func(name string) string {
		return instance(t, func(c *net.TCPConn) {
			_, _ = c.Write([]byte(name))
			c.Close()
		})
	}
	address := serve(t, "tcp", named("a"), unused(t), named("b"))
	var seen strings.Builder
	for i := 0; i < 6; i++ {
		answer, _ := io.ReadAll(dial(t, address))
		seen.Write(answer)
	}
	if strings.Count(seen.String(), "a") < 2 || strings.Count(seen.String(), "b") < 2 || seen.Len() != 6 {
		t.Error(seen.String())
	}
}

func TestAClientIsRefusedWhenNoTargetCanBeReached(t *testing.T) {
	client, err := net.Dial("tcp", serve(t, "tcp", unused(t)))
	if err == nil { // the refusal may be faster than the end of the dialling
		defer client.Close()
		_ = client.SetDeadline(time.Now().Add(patience))
		_, err = io.ReadAll(client)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

func TestDatagramsFindTheirWayBackToTheirClients(t *testing.T) {
	target, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	go func() {
		buffer := make([]byte, largestDatagram)
		for {
			n, from, err := target.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = target.WriteToUDPAddrPort(append([]byte("re: "), buffer[:n]...), from)
		}
	}()
	address := serve(t, "udp", target.LocalAddr().String())
	for _, word := range []string{"one", "two"} {
		client, err := net.Dial("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_ = client.SetDeadline(time.Now().Add(patience))
		for i := 0; i < 2; i++ {
			_, _ = client.Write([]byte(word))
			buffer := make([]byte, 100)
			n, err := client.Read(buffer)
			if err != nil || string(buffer[:n]) != "re: "+word {
				t.Errorf("%q %v", buffer[:n], err)
			}
		}
	}
}

func TestIdleConnectionsMakeRoomForNewOnes(t *testing.T) {
	room := newRoom(4)
	room.idle = 20 * time.Millisecond
	address := serveIn(t, room, instance(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c) }))
	for i := 0; i < 4; i++ {
		if client, err := dialFrom(byte(10+i), address); err == nil {
			defer client.Close()
		}
	}

	for deadline := time.Now().Add(patience); ; {
		if client, err := dialFrom(20, address); err == nil {
			defer client.Close()
			_ = client.SetDeadline(time.Now().Add(patience))
			_, _ = client.Write([]byte("x"))
			if n, _ := client.Read(make([]byte, 1)); n == 1 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("idle connections kept others out")
		}
	}
}

func TestAGreedyClientLeavesRoomForOthers(t *testing.T) {
	room := newRoom(16)
	address := serveIn(t, room, instance(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c) }))
	for i := 0; i < 20; i++ {
		if client, err := net.Dial("tcp", address); err == nil { // a refusal may be faster than the end of the dialling
			defer client.Close()
		}
	}
	other, err := dialFrom(2, address)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_ = other.SetDeadline(time.Now().Add(patience))

	_, _ = other.Write([]byte("x"))

	if n, err := other.Read(make([]byte, 1)); n != 1 {
		t.Error(err)
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	if len(room.open) != 9 {
		t.Errorf("%d connections, not 9", len(room.open))
	}
}

func TestAnAnswerComesFromTheAddressThatWasAsked(t *testing.T) {
	target, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	go func() {
		buffer := make([]byte, 100)
		for {
			n, from, err := target.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = target.WriteToUDPAddrPort(buffer[:n], from)
		}
	}()
	for _, everywhere := range []string{"0.0.0.0:0", "[::]:0"} {
		socket, err := Listen("udp", everywhere)
		if err != nil {
			t.Logf("%s: %v", everywhere, err) // a host without IPv6
			continue
		}
		_, port, _ := net.SplitHostPort(addressOf(t, "udp", socket))
		go Serve("udp", socket, NewTargets([]string{target.LocalAddr().String()}), loopback)
		client, err := net.Dial("udp", "127.0.0.2:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_ = client.SetDeadline(time.Now().Add(patience))

		_, _ = client.Write([]byte("hello"))
		buffer := make([]byte, 100)
		n, err := client.Read(buffer) // it takes nothing from another address

		if string(buffer[:n]) != "hello" {
			t.Errorf("%s: %q %v", everywhere, buffer[:n], err)
		}
	}
}

func TestAFloodOfDatagramsDoesNotKeepOutThoseThatSpeakOn(t *testing.T) {
	target, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	u := &udp{targets: NewTargets([]string{target.LocalAddr().String()}), source: loopback, open: map[peer]*association{}}
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	u.socket = socket
	steady := peer{client: netip.MustParseAddrPort("127.0.0.1:9")}
	first := u.association(steady)

	for port := 0; port < mostAssociations+50; port++ {
		forged := peer{client: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), uint16(port))}
		if u.association(forged) == nil {
			t.Fatal("refused")
		}
		if u.association(steady) != first {
			t.Fatal("the steady client was dropped")
		}
	}

	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.open) > mostAssociations {
		t.Errorf("%d associations", len(u.open))
	}
	for _, a := range u.open {
		a.server.Close()
	}
}

func TestAnAddressOfAllOfIPv4OpensNoneOfIPv6(t *testing.T) {
	socket, err := Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	_, port, _ := net.SplitHostPort(addressOf(t, "tcp", socket))

	if client, err := net.Dial("tcp", "[::1]:"+port); err == nil {
		client.Close()
		t.Error("it can be reached by IPv6")
	}
}

func TestAnAddressInUseIsToldApart(t *testing.T) {
	for _, transport := range []string{"tcp", "udp"} {
		socket, err := Listen(transport, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		if _, err := Listen(transport, addressOf(t, transport, socket)); !errors.Is(err, ErrAddressTaken) {
			t.Errorf("%s: %v", transport, err)
		}
	}
}

func TestATargetThatFailedIsAskedLastForAWhile(t *testing.T) {
	targets := NewTargets([]string{"a", "b", "c"})
	now := time.Unix(1000, 0)
	targets.note("b", errors.New("down"), now)
	for _, want := range []string{"acb", "cab", "cab"} {
		if got := strings.Join(targets.order(now.Add(time.Second)), ""); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	if got := strings.Join(targets.order(now.Add(rest)), ""); got != "abc" {
		t.Error(got)
	}
}
