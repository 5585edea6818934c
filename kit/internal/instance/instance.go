// Package instance reads /etc/sheaf/instance.json, the description of what a guest shall be.
package instance

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Path is where every guest finds its description.
const Path = "/etc/sheaf/instance.json"

// Milliseconds is a duration as the description writes it.
type Milliseconds int64

// Duration gives the same span in Go's unit.
func (m Milliseconds) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Host is a name and where it leads.
type Host struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
}

// Volume is a disk and its place in the file system.
type Volume struct {
	Name  string `json:"name"`
	Mount string `json:"mount"`
	Kind  string `json:"kind"`
}

// Peer is an instance at the other end of a wire.
type Peer struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
}

// Wait holds the services until one of its peers answers.
type Wait struct {
	Terminal  string `json:"terminal"`
	Peers     []Peer `json:"peers"`
	Transport string `json:"transport"`
	Protocol  string `json:"protocol"`
}

// Reload tells how a service learns of a changed file: by a signal or by a command.
type Reload struct {
	Signal  string   `json:"signal"`
	Command []string `json:"command"`
}

// Stop tells how a service is ended: a signal, and the time it then has.
type Stop struct {
	Signal    string       `json:"signal"`
	TimeoutMs Milliseconds `json:"timeoutMs"`
}

// Service is a process that is run and restarted.
type Service struct {
	Name        string            `json:"name"`
	Command     []string          `json:"command"`
	After       []string          `json:"after"`
	Environment map[string]string `json:"environment"`
	User        string            `json:"user"`
	Directory   string            `json:"directory"`
	Reload      *Reload           `json:"reload"`
	Stop        Stop              `json:"stop"`
}

// Hook is a command that is run at a moment of the instance's life.
type Hook struct {
	Command   []string     `json:"command"`
	TimeoutMs Milliseconds `json:"timeoutMs"`
}

// Probe asks whether the instance serves.
type Probe struct {
	Kind    string   `json:"kind"`
	Port    int      `json:"port"`
	Path    string   `json:"path"`
	Command []string `json:"command"`
	// Of a command; root's in / when empty.
	Environment map[string]string `json:"environment"`
	User        string            `json:"user"`
	Directory   string            `json:"directory"`
}

// Health is a probe and its rhythm.
type Health struct {
	Probe      Probe        `json:"probe"`
	IntervalMs Milliseconds `json:"intervalMs"`
	TimeoutMs  Milliseconds `json:"timeoutMs"`
	Failures   int          `json:"failures"`
}

// File names the service that follows a file.
type File struct {
	Path     string `json:"path"`
	OnChange string `json:"onChange"`
}

// Appliance is what the instance was made from.
type Appliance struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Description is everything that a guest is told about itself.
type Description struct {
	Version    int             `json:"version"`
	Deployment string          `json:"deployment"`
	Instance   string          `json:"instance"`
	Generation int64           `json:"generation"`
	Uses       Appliance       `json:"uses"`
	Hosts      []Host          `json:"hosts"`
	Volumes    []Volume        `json:"volumes"`
	Waits      []Wait          `json:"waits"`
	Services   []Service       `json:"services"`
	Hooks      map[string]Hook `json:"hooks"`
	Health     *Health         `json:"health"`
	Files      []File          `json:"files"`
	// IsHeld: the services do not run, and hooks neither, while the host works on the data.
	IsHeld bool `json:"isHeld"`
}

// Load reads and checks the description at a path.
func Load(path string) (*Description, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads and checks a description. Members that it does not know are passed over.
func Parse(text []byte) (*Description, error) {
	var d Description
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", Path, err)
	}
	if d.Version != 1 {
		return nil, fmt.Errorf("%s: version %d is not known to this kit", Path, d.Version)
	}
	d.fillDefaults()
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", Path, err)
	}
	return &d, nil
}

// FollowerOf names the service that follows a file; "" when none does.
func (d *Description) FollowerOf(path string) string {
	for _, file := range d.Files {
		if file.Path == path {
			return file.OnChange
		}
	}
	return ""
}
