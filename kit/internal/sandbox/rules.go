// Package sandbox holds the network namespace of a container and decides which packets pass there.
package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
)

// Way is one port that is open between this instance and one other address.
type Way struct {
	// Leads is "in" when the other side connects, "out" when this one does.
	Leads     string     `json:"leads"`
	Address   netip.Addr `json:"address"`
	Transport string     `json:"transport"`
	Port      uint16     `json:"port"`
}

// Rules are everything that may pass; all else is dropped.
type Rules struct {
	// Address is the instance's own.
	Address netip.Addr `json:"address"`
	Ways    []Way      `json:"ways"`
	// Inner is the deployment's network, when everything outside of it may be connected to from here.
	Inner *netip.Prefix `json:"inner,omitempty"`
}

// ReadRules reads a file of rules. A file that is not there opens nothing.
func ReadRules(path string) (Rules, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Rules{}, nil
	}
	if err != nil {
		return Rules{}, err
	}
	return parseRules(text)
}

func parseRules(text []byte) (Rules, error) {
	var rules Rules
	if err := json.Unmarshal(text, &rules); err != nil {
		return Rules{}, err
	}
	if !rules.Address.Is4() {
		return Rules{}, fmt.Errorf("%s is no IPv4 address", rules.Address)
	}
	if rules.Inner != nil && !rules.Inner.Addr().Is4() {
		return Rules{}, fmt.Errorf("%s is no IPv4 network", rules.Inner)
	}
	for _, way := range rules.Ways {
		if !way.Address.Is4() || way.Port == 0 || numbers[way.Transport] == 0 || (way.Leads != "in" && way.Leads != "out") {
			return Rules{}, fmt.Errorf("%+v is no way", way)
		}
	}
	return rules, nil
}
