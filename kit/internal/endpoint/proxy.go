package endpoint

import (
	"encoding/binary"
	"net"
)

const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// proxyHeader tells who a client is and where it connected to, by the PROXY protocol, version 2
// (haproxy.org/download/2.6/doc/proxy-protocol.txt).
func proxyHeader(client *net.TCPConn) []byte {
	const proxied, overIPv4, overIPv6 = 0x21, 0x11, 0x21
	from, to := client.RemoteAddr().(*net.TCPAddr), client.LocalAddr().(*net.TCPAddr)
	family, source, target := byte(overIPv4), from.IP.To4(), to.IP.To4()
	if source == nil || target == nil {
		family, source, target = overIPv6, from.IP.To16(), to.IP.To16()
	}
	header := append([]byte(proxySignature), proxied, family)
	header = binary.BigEndian.AppendUint16(header, uint16(2*len(source)+4))
	header = append(append(header, source...), target...)
	header = binary.BigEndian.AppendUint16(header, uint16(from.Port))
	return binary.BigEndian.AppendUint16(header, uint16(to.Port))
}
