// Package uplink lets connections out of a deployment's network, to the names that are listed and to nothing else.
package uplink

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
)

// mostRules bounds the text of the rules.
const mostRules = 64 << 20

// Name is a service of the outer world.
type Name struct {
	Name      string `json:"name"`
	Port      int    `json:"port"`
	IsPrivate bool   `json:"isPrivate"`
}

// Rules say who may use the way out, on whose behalf, and for what.
type Rules struct {
	// Sources are the instances that may connect.
	Sources []struct {
		Address netip.Addr `json:"address"`
	} `json:"sources"`
	// Clients are the instances that those speak for.
	Clients []struct {
		Name    string     `json:"name"`
		Address netip.Addr `json:"address"`
		Names   []Name     `json:"names"`
	} `json:"clients"`
	// Subnet is the deployment's own network.
	Subnet netip.Prefix `json:"subnet"`
}

// ReadRules reads rules written as JSON, to their end.
func ReadRules(from io.Reader) (Rules, error) {
	var rules Rules
	if err := json.NewDecoder(io.LimitReader(from, mostRules)).Decode(&rules); err != nil {
		return rules, fmt.Errorf("the rules of the way out: %w", err)
	}
	return rules, nil
}

// client is an instance and what it may reach.
type client struct {
	name  string
	names map[place]Name
}

type place struct {
	name string
	port int
}

// book is the rules, arranged for looking up.
type book struct {
	sources map[netip.Addr]bool
	clients map[netip.Addr]client
	closed  []netip.Prefix
}

func newBook(rules Rules) book {
	b := book{sources: map[netip.Addr]bool{}, clients: map[netip.Addr]client{}, closed: []netip.Prefix{rules.Subnet}}
	for _, source := range rules.Sources {
		b.sources[source.Address] = true
	}
	for _, one := range rules.Clients {
		names := map[place]Name{}
		for _, name := range one.Names {
			names[place{name.Name, name.Port}] = name
		}
		b.clients[one.Address] = client{one.Name, names}
	}
	return b
}
