package endpoint

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
)

func TestATargetIsToldWhoTheClientIs(t *testing.T) {
	heard := make(chan []byte, 1)
	target := instance(t, func(connection *net.TCPConn) {
		defer connection.Close()
		all, _ := io.ReadAll(connection)
		heard <- all
	})
	socket, err := Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := addressOf(t, "tcp", socket)
	go Serve("tcp", socket, NewTargets([]string{target}), Source{ProxyProtocol: true})

	client, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(client.LocalAddr().(*net.TCPAddr).Port)
	_, _ = client.Write([]byte("hello"))
	client.Close()

	got := <-heard
	want := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"), 127, 0, 0, 1, 127, 0, 0, 1)
	want = binary.BigEndian.AppendUint16(want, port)
	if !bytes.HasPrefix(got, want) || !bytes.HasSuffix(got, []byte("hello")) || len(got) != 28+len("hello") {
		t.Errorf("%q", got)
	}
}
