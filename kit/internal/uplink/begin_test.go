package uplink

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
)

// hello gives the ClientHello that a real client sends.
func hello(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	here, there := net.Pipe()
	config.InsecureSkipVerify = true
	go func() {
		_ = tls.Client(there, config).Handshake()
		there.Close()
	}()
	buffer := make([]byte, 16<<10)
	n, err := here.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	here.Close()
	return buffer[:n]
}

// inRecords lays the handshake message of one record into records of at most size bytes.
func inRecords(record []byte, size int) []byte {
	var all []byte
	for body := record[recordHeaderSize:]; len(body) > 0; {
		n := size
		if n > len(body) {
			n = len(body)
		}
		all = append(append(all, recordHandshake, 3, 1, byte(n>>8), byte(n)), body[:n]...)
		body = body[n:]
	}
	return all
}

// withExtension adds an extension to a ClientHello in one record.
func withExtension(record []byte, kind int, content ...byte) []byte {
	hello := append([]byte{}, record[recordHeaderSize+4:]...)
	r := reader{data: hello}
	r.skip(2 + 32)
	r.skip(r.number(1))
	r.skip(r.number(2))
	r.skip(r.number(1))
	at := len(hello) - len(r.data)
	extensions := append(append([]byte{}, hello[at+2:]...), byte(kind>>8), byte(kind), byte(len(content)>>8), byte(len(content)))
	extensions = append(extensions, content...)
	body := append(append([]byte{}, hello[:at]...), byte(len(extensions)>>8), byte(len(extensions)))
	body = append(body, extensions...)
	message := append([]byte{messageHello, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	return append([]byte{recordHandshake, 3, 1, byte(len(message) >> 8), byte(len(message))}, message...)
}

func TestTheNameOfAHelloIsFoundHoweverItIsCut(t *testing.T) {
	whole := hello(t, &tls.Config{ServerName: "API.example.com"})
	for _, size := range []int{1, 3, 4, 7, 100, 1 << 13} {
		cut := inRecords(whole, size)
		for end := 1; end < len(cut); end++ {
			if name, err := helloName(cut[:end]); !errors.Is(err, errMore) {
				t.Fatalf("records of %d, %d of %d bytes: %q, %v", size, end, len(cut), name, err)
			}
		}
		if name, err := helloName(cut); name != "api.example.com" || err != nil {
			t.Fatalf("records of %d: %q, %v", size, name, err)
		}
	}
}

func TestOldTLSTellsItsNameToo(t *testing.T) {
	name, err := helloName(hello(t, &tls.Config{ServerName: "api.example.com", MaxVersion: tls.VersionTLS12}))
	if name != "api.example.com" || err != nil {
		t.Error(name, err)
	}
}

func TestAHelloWithoutANameOrWithAHiddenOneIsRefused(t *testing.T) {
	named := hello(t, &tls.Config{ServerName: "api.example.com"})
	for what, one := range map[string]struct {
		data []byte
		want error
	}{
		"no name":        {hello(t, &tls.Config{}), errNoName},
		"hidden":         {withExtension(named, extensionECH, 1, 2, 3), errHiddenName},
		"two names":      {withExtension(named, extensionName, 0, 4, 0, 0, 1, 'x'), errNotTold},
		"another record": {append(inRecords(named, 50)[:55], 23, 3, 3, 0, 1, 0), errNotTold},
		"empty record":   {[]byte{recordHandshake, 3, 1, 0, 0}, errNotTold},
		"a server's":     {[]byte{recordHandshake, 3, 3, 0, 4, 2, 0, 0, 0}, errNotTold},
		"old SSL":        {[]byte{recordHandshake, 2, 0, 0, 1, 1}, errNotTold},
	} {
		if name, err := helloName(one.data); !errors.Is(err, one.want) {
			t.Errorf("%s: %q, %v", what, name, err)
		}
	}
	if _, err := helloName([]byte{recordHandshake, 3, 1, 0, 4, messageHello, 0xff, 0, 0}); err == nil || errors.Is(err, errMore) {
		t.Error("a hello that is too long is waited for", err)
	}
}

func TestGarbageNeverBreaksTheReader(t *testing.T) {
	named := hello(t, &tls.Config{ServerName: "api.example.com"})
	for at := range named {
		for _, value := range []byte{0, 1, 0x7f, 0xff} {
			changed := append([]byte{}, named...)
			changed[at] = value
			_, _ = helloName(changed)
			_, _ = helloName(changed[:at])
		}
	}
}

func TestTheHostOfARequestIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: API.example.com\r\n\r\n":                                        "api.example.com ",
		"POST /a HTTP/1.1\r\nA: b\r\nhost:api.example.com:8080 \r\nContent-Length: 3\r\n\r\nabc": "api.example.com 8080",
		"GET http://api.example.com/x HTTP/1.0\r\nHost: api.example.com\r\n\r\n":                 "api.example.com ",
		"GET / HTTP/1.1\r\nHost: a.example\r\n\r\nGET / HTTP/1.1\r\nHost: b.example\r\n\r\n":     "a.example ",
	} {
		host, port, err := requestHost([]byte(text))
		if host+" "+port != want || err != nil {
			t.Errorf("%q: %q %q %v", text, host, port, err)
		}
		for end := 1; end < strings.Index(text, "\r\n\r\n")+4; end++ {
			if _, _, err := requestHost([]byte(text[:end])); !errors.Is(err, errMore) {
				t.Fatalf("%q: %v", text[:end], err)
			}
		}
	}
}

func TestARequestThatDoesNotTellOneHostIsRefused(t *testing.T) {
	for text, want := range map[string]error{
		"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n": errConnect,
		"GET / HTTP/1.1\r\n\r\n": errTwoHosts,
		"GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n":  errTwoHosts,
		"GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n":     errTwoHosts,
		"GET / HTTP/1.1\r\nHost: a.example\r\n Host: b.example\r\n\r\n": errNotTold,
		"GET / HTTP/1.1\r\nHost : a.example\r\n\r\n":                    errNotTold,
		"GET / HTTP/1.1\nHost: a.example\n\r\n\r\n":                     errNotTold,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                              errNotTold,
		"SSH-2.0-OpenSSH\r\n":                                           errNotTold,
		"\x00\x00":                                                      errNotTold,
	} {
		if host, _, err := requestHost([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%q: %q %v", text, host, err)
		}
	}
}

func TestTheOriginIsWhatTheProxyHeaderSays(t *testing.T) {
	header := append([]byte(proxySignature), 0x21, 0x11, 0, 15, 10, 83, 4, 3, 10, 83, 4, 2, 0x10, 0, 1, 0xbb, 1, 2, 3)
	from, err := readOrigin(bytes.NewReader(header))
	if err != nil || from.client.String() != "10.83.4.3" || from.port != 443 {
		t.Error(from, err)
	}
	for at, value := range map[int]byte{0: 'x', 12: 0x20, 13: 0x21, 15: 3, 14: 0xff} {
		changed := append([]byte{}, header...)
		changed[at] = value
		if _, err := readOrigin(bytes.NewReader(changed)); !errors.Is(err, errOrigin) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}
