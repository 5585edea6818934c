// Package network gives a machine its addresses and routes, without any program of the image.
package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"sheaf/kit/internal/seed"
)

// Configure brings up the loopback and every link of the seed, found by its MAC address.
func Configure(links []seed.Link) error {
	if err := bringUp("lo"); err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	for _, link := range links {
		if err := configureLink(link); err != nil {
			return err
		}
	}
	return nil
}

func configureLink(link seed.Link) error {
	name, err := findLink("/sys/class/net", link.Match.MacAddress)
	if err != nil {
		return err
	}
	for _, address := range link.Addresses {
		if err := addAddress(name, address); err != nil {
			return fmt.Errorf("%s: address %s: %w", name, address, err)
		}
	}
	if err := bringUp(name); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, route := range routesOf(link) {
		if err := addRoute(name, route); err != nil {
			return fmt.Errorf("%s: route to %s: %w", name, route.To, err)
		}
	}
	return nil
}

func routesOf(link seed.Link) []seed.Route {
	if link.Gateway4 == "" {
		return link.Routes
	}
	return append([]seed.Route{{To: "default", Via: link.Gateway4}}, link.Routes...)
}

// findLink gives the name of the network card with a MAC address.
func findLink(folder, mac string) (string, error) {
	cards, err := filepath.Glob(filepath.Join(folder, "*", "address"))
	if err != nil {
		return "", err
	}
	for _, card := range cards {
		text, err := os.ReadFile(card)
		if err == nil && strings.EqualFold(strings.TrimSpace(string(text)), mac) {
			return filepath.Base(filepath.Dir(card)), nil
		}
	}
	return "", fmt.Errorf("no network card has the address %s", mac)
}

func indexOf(name string) (uint32, error) {
	text, err := os.ReadFile(filepath.Join("/sys/class/net", name, "ifindex"))
	if err != nil {
		return 0, err
	}
	index, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	return uint32(index), err
}

func bringUp(name string) error {
	index, err := indexOf(name)
	if err != nil {
		return err
	}
	header := make([]byte, syscall.SizeofIfInfomsg)
	binary.LittleEndian.PutUint32(header[4:], index)
	binary.LittleEndian.PutUint32(header[8:], syscall.IFF_UP)
	binary.LittleEndian.PutUint32(header[12:], syscall.IFF_UP)
	return (&message{kind: syscall.RTM_NEWLINK, header: header}).send()
}

func addAddress(name, address string) error {
	index, err := indexOf(name)
	if err != nil {
		return err
	}
	ip, network, err := net.ParseCIDR(address)
	if err != nil {
		return err
	}
	ip4 := ip.To4()
	if ip4 == nil {
		return errors.New("not an IPv4 address")
	}
	prefix, _ := network.Mask.Size()
	m := message{
		kind:   syscall.RTM_NEWADDR,
		flags:  syscall.NLM_F_CREATE | syscall.NLM_F_REPLACE,
		header: make([]byte, syscall.SizeofIfAddrmsg),
	}
	m.header[0] = syscall.AF_INET
	m.header[1] = byte(prefix)
	binary.LittleEndian.PutUint32(m.header[4:], index)
	m.add(syscall.IFA_LOCAL, ip4)
	m.add(syscall.IFA_ADDRESS, ip4)
	return m.send()
}

func addRoute(name string, route seed.Route) error {
	index, err := indexOf(name)
	if err != nil {
		return err
	}
	to := route.To
	if to == "default" {
		to = "0.0.0.0/0"
	}
	_, network, err := net.ParseCIDR(to)
	if err != nil {
		return err
	}
	prefix, bits := network.Mask.Size()
	via := net.ParseIP(route.Via).To4()
	if bits != 32 || (via == nil && route.Via != "") {
		return errors.New("not an IPv4 route")
	}
	m := message{
		kind:   syscall.RTM_NEWROUTE,
		flags:  syscall.NLM_F_CREATE | syscall.NLM_F_REPLACE,
		header: make([]byte, syscall.SizeofRtMsg),
	}
	m.header[0] = syscall.AF_INET
	m.header[1] = byte(prefix)
	m.header[4] = syscall.RT_TABLE_MAIN
	m.header[5] = syscall.RTPROT_STATIC
	m.header[6] = syscall.RT_SCOPE_UNIVERSE
	m.header[7] = syscall.RTN_UNICAST
	if via == nil {
		m.header[6] = syscall.RT_SCOPE_LINK
	}
	output := make([]byte, 4)
	binary.LittleEndian.PutUint32(output, index)
	m.add(syscall.RTA_DST, network.IP.To4())
	m.add(syscall.RTA_OIF, output)
	if via != nil {
		m.add(syscall.RTA_GATEWAY, via)
	}
	return m.send()
}
