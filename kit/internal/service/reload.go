package service

import (
	"context"
	"time"

	"sheaf/kit/internal/process"
)

const reloadTimeout = 30 * time.Second

// Reload lets the service know that a file has changed, by the means that it declares, else by a restart. Waits for
// a command, which can so tell when the service has followed; not for what a signal or a restart does.
func (s *Service) Reload() {
	s.mu.Lock()
	p, how, state := s.process, s.description.Reload, s.status.State
	s.mu.Unlock()
	switch {
	case state == Held || state == Stopped:
	case state != Running || how == nil:
		s.Restart()
	case len(how.Command) > 0:
		s.reloadByCommand(how.Command)
	default:
		if signal, err := process.SignalOf(how.Signal); err == nil {
			p.Signal(signal)
		}
	}
}

func (s *Service) reloadByCommand(command []string) {
	description := s.Description()
	ctx, cancel := context.WithTimeout(context.Background(), reloadTimeout)
	defer cancel()
	code, err := RunToEnd(ctx, s.table, s.console, process.Command{
		Label:       description.Name + "-reload",
		Args:        command,
		Environment: description.Environment,
		User:        description.User,
		Directory:   description.Directory,
	})
	if err != nil || code != 0 {
		s.console.Printf("service %s cannot reload (%d) and is restarted", description.Name, code)
		s.Restart()
	}
}
