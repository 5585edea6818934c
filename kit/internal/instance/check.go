package instance

import (
	"fmt"
	"path"
	"regexp"

	"sheaf/kit/internal/process"
)

func (d *Description) fillDefaults() {
	for i := range d.Services {
		s := &d.Services[i]
		if s.Stop.Signal == "" {
			s.Stop.Signal = "TERM"
		}
		if s.Stop.TimeoutMs <= 0 {
			s.Stop.TimeoutMs = 10_000
		}
		if s.Directory == "" {
			s.Directory = "/"
		}
	}
	for name, hook := range d.Hooks {
		if hook.TimeoutMs <= 0 {
			hook.TimeoutMs = 60_000
			d.Hooks[name] = hook
		}
	}
	if h := d.Health; h != nil {
		if h.IntervalMs < 100 {
			h.IntervalMs = 5_000
		}
		if h.TimeoutMs <= 0 {
			h.TimeoutMs = 2_000
		}
		if h.Failures < 1 {
			h.Failures = 1
		}
		if h.Probe.Directory == "" {
			h.Probe.Directory = "/"
		}
	}
}

// Names become names of control groups, so nothing but this is let through.
var safeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

func (d *Description) check() error {
	known := map[string][]string{}
	for _, s := range d.Services {
		if !safeName.MatchString(s.Name) {
			return fmt.Errorf("service name %q", s.Name)
		}
		if _, twice := known[s.Name]; twice {
			return fmt.Errorf("service %s stands there twice", s.Name)
		}
		if len(s.Command) == 0 {
			return fmt.Errorf("service %s has no command", s.Name)
		}
		if _, err := process.SignalOf(s.Stop.Signal); err != nil {
			return fmt.Errorf("service %s: %w", s.Name, err)
		}
		if s.Reload != nil && len(s.Reload.Command) == 0 {
			if _, err := process.SignalOf(s.Reload.Signal); err != nil {
				return fmt.Errorf("service %s: %w", s.Name, err)
			}
		}
		known[s.Name] = s.After
	}
	for _, s := range d.Services {
		for _, name := range s.After {
			if _, exists := known[name]; !exists {
				return fmt.Errorf("service %s comes after %s, which is not there", s.Name, name)
			}
		}
		if reaches(known, s.After, s.Name, 0) {
			return fmt.Errorf("service %s comes after itself", s.Name)
		}
	}
	for _, v := range d.Volumes {
		if !safeName.MatchString(v.Name) || !path.IsAbs(v.Mount) {
			return fmt.Errorf("volume %q on %q", v.Name, v.Mount)
		}
	}
	for name, hook := range d.Hooks {
		if len(hook.Command) == 0 {
			return fmt.Errorf("hook %s has no command", name)
		}
	}
	return d.checkProbe()
}

func (d *Description) checkProbe() error {
	if d.Health == nil {
		return nil
	}
	switch probe := d.Health.Probe; probe.Kind {
	case "http", "tcp":
		if probe.Port < 1 || probe.Port > 65535 {
			return fmt.Errorf("health: port %d", probe.Port)
		}
	case "command":
		if len(probe.Command) == 0 {
			return fmt.Errorf("health: no command")
		}
	default:
		return fmt.Errorf("health: probe %q", probe.Kind)
	}
	return nil
}

// reaches tells whether the services in from lead to target; depth bounds the walk through a cycle elsewhere.
func reaches(after map[string][]string, from []string, target string, depth int) bool {
	if depth > len(after) {
		return false
	}
	for _, name := range from {
		if name == target || reaches(after, after[name], target, depth+1) {
			return true
		}
	}
	return false
}
