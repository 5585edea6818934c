package uplink

import (
	"fmt"
	"net/netip"
)

type network struct {
	netip.Prefix
	what string
}

func networks(what string, texts ...string) []network {
	list := make([]network, len(texts))
	for i, text := range texts {
		list[i] = network{netip.MustParsePrefix(text), what}
	}
	return list
}

// neverReached are networks that no name may lead to (IANA's special-purpose registries, RFC 6890), and the places
// where clouds answer questions about the machine itself.
var neverReached = concat(
	networks("a loopback address", "127.0.0.0/8", "::1/128"),
	networks("a link-local address", "169.254.0.0/16", "fe80::/10"),
	networks("an address of a machine's own provider", "100.100.100.200/32", "fd00:ec2::/32", "192.0.0.0/24"),
	networks("no address of a single machine", "0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8"),
	// they lead to an IPv4 address that hides inside
	networks("an address that stands for another", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"),
)

// private are networks that belong to whoever runs the machine (RFC 1918, 4193, 6598, 2544).
var private = networks("a private address",
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7", "fec0::/10")

func concat(lists ...[]network) []network {
	var all []network
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// refusal says why an address must not be reached; empty when it may be. own are the machine's addresses.
func refusal(address netip.Addr, isPrivate bool, own []netip.Addr, closed []netip.Prefix) string {
	address = address.Unmap().WithZone("")
	for _, mine := range own {
		if mine.Unmap().WithZone("") == address {
			return fmt.Sprintf("%s is an address of this server", address)
		}
	}
	for _, net := range closed {
		if net.Contains(address) {
			return fmt.Sprintf("%s lies in a network of deployments", address)
		}
	}
	forbidden := neverReached
	if !isPrivate {
		forbidden = concat(neverReached, private)
	}
	for _, net := range forbidden {
		if net.Contains(address) {
			return fmt.Sprintf("%s is %s", address, net.what)
		}
	}
	return ""
}
