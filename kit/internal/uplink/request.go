package uplink

import (
	"bytes"
	"errors"
	"net"
	"strings"
)

// mostHead bounds the head of an HTTP request.
const mostHead = 32 << 10

var (
	errConnect  = errors.New("it is an HTTP CONNECT, which hides where it leads")
	errTwoHosts = errors.New("its HTTP names no host, or two")
)

// requestHost finds the host that the head of an HTTP/1 request asks for (RFC 9112 section 3.2), and the port that it
// names beside, which is empty when it names none.
func requestHost(data []byte) (host, port string, err error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		if !beginsAsRequest(data) {
			return "", "", errNotTold
		}
		return "", "", errMore
	}
	lines := strings.Split(string(data[:end]), "\r\n")
	parts := strings.Split(lines[0], " ")
	if len(parts) != 3 || !strings.HasPrefix(parts[2], "HTTP/1.") {
		return "", "", errNotTold
	}
	if parts[0] == "CONNECT" {
		return "", "", errConnect
	}
	hosts := map[string]bool{}
	if authority, ok := authorityOf(parts[1]); ok {
		hosts[authority] = true
	}
	count := 0
	for _, line := range lines[1:] {
		key, value, ok := strings.Cut(line, ":")
		if !ok || strings.ContainsAny(line, "\r\n\x00") || key == "" || strings.ContainsAny(key, " \t") {
			return "", "", errNotTold
		}
		if strings.EqualFold(key, "host") {
			hosts[strings.ToLower(strings.Trim(value, " \t"))] = true
			count++
		}
	}
	if count != 1 || len(hosts) != 1 {
		return "", "", errTwoHosts
	}
	for only := range hosts {
		host = only
	}
	if name, number, err := net.SplitHostPort(host); err == nil {
		return name, number, nil
	}
	return host, "", nil
}

// beginsAsRequest tells whether what has come so far can still become a request: a word in capital letters, a space.
func beginsAsRequest(data []byte) bool {
	for i, b := range data {
		switch {
		case b == ' ':
			return i > 0
		case b < 'A' || b > 'Z' || i > 20:
			return false
		}
	}
	return true
}

// authorityOf takes the host out of a target in absolute form.
func authorityOf(target string) (string, bool) {
	_, rest, ok := strings.Cut(target, "://")
	if !ok || strings.HasPrefix(target, "/") {
		return "", false
	}
	if cut := strings.IndexAny(rest, "/?#"); cut >= 0 {
		rest = rest[:cut]
	}
	return strings.ToLower(rest), true
}
