// Package seed reads the part of a cloud-init NoCloud seed that Sheaf writes.
package seed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"sheaf/kit/internal/files"
)

// Route is a way to other networks.
type Route struct {
	To  string `json:"to"`
	Via string `json:"via"`
}

// Link is one network card: found by its MAC address, given addresses and routes.
type Link struct {
	Match struct {
		MacAddress string `json:"macaddress"`
	} `json:"match"`
	Addresses []string `json:"addresses"`
	Gateway4  string   `json:"gateway4"`
	Routes    []Route  `json:"routes"`
}

// Seed is what a machine is told about itself before it is anything.
type Seed struct {
	InstanceID string
	Hostname   string
	Links      []Link
	Files      []files.File
}

// Read reads the three files of a seed in a folder.
func Read(folder string) (*Seed, error) {
	meta, err := os.ReadFile(filepath.Join(folder, "meta-data"))
	if err != nil {
		return nil, err
	}
	network, err := os.ReadFile(filepath.Join(folder, "network-config"))
	if err != nil {
		return nil, err
	}
	user, err := os.ReadFile(filepath.Join(folder, "user-data"))
	if err != nil {
		return nil, err
	}
	return parse(meta, network, user)
}

func parse(meta, network, user []byte) (*Seed, error) {
	var m struct {
		InstanceID string `json:"instance-id"`
		Hostname   string `json:"local-hostname"`
	}
	if err := json.Unmarshal(meta, &m); err != nil {
		return nil, fmt.Errorf("meta-data: %w", err)
	}
	var n struct {
		Ethernets map[string]Link `json:"ethernets"`
	}
	if err := json.Unmarshal(network, &n); err != nil {
		return nil, fmt.Errorf("network-config: %w", err)
	}
	header, body, _ := bytes.Cut(user, []byte("\n"))
	if string(bytes.TrimSpace(header)) != "#cloud-config" {
		return nil, fmt.Errorf("user-data: the first line is not #cloud-config")
	}
	var u struct {
		WriteFiles []files.File `json:"write_files"`
	}
	if err := json.Unmarshal(body, &u); err != nil {
		return nil, fmt.Errorf("user-data: %w", err)
	}
	s := &Seed{InstanceID: m.InstanceID, Hostname: m.Hostname, Files: u.WriteFiles}
	for _, link := range n.Ethernets {
		s.Links = append(s.Links, link)
	}
	return s, nil
}
