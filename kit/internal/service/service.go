// Package service runs one service: starts it, starts it again when it ends, reloads and stops it.
package service

import (
	"sync"
	"time"

	"sheaf/kit/internal/console"
	"sheaf/kit/internal/instance"
	"sheaf/kit/internal/probe"
	"sheaf/kit/internal/process"
)

// The states of a service, as the host sees them.
const (
	Held     = "held"
	Starting = "starting"
	Running  = "running"
	Backoff  = "backoff"
	Stopped  = "stopped"
)

const (
	firstDelay   = 200 * time.Millisecond
	longestDelay = 30 * time.Second
	longEnough   = 60 * time.Second // a run of this length forgives the ends before it
)

// Service is one service and its life.
type Service struct {
	table   *process.Table
	console *console.Console

	mu          sync.Mutex
	description instance.Service
	status      Status
	process     *process.Process

	// wasStarted is closed when the service has run for the first time.
	wasStarted chan struct{}
	again      chan struct{}
	stop       chan struct{}
	stopOnce   sync.Once
	ended      chan struct{}
}

// Status is what the host is told of a service.
type Status struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Restarts int    `json:"restarts"`
	// ExitCode is that of the last end; null while it has not ended.
	ExitCode *int `json:"exitCode"`
}

// New makes a service that is held until Run.
func New(table *process.Table, console *console.Console, description instance.Service) *Service {
	return &Service{
		table:       table,
		console:     console,
		description: description,
		status:      Status{Name: description.Name, State: Held},
		wasStarted:  make(chan struct{}),
		again:       make(chan struct{}, 1),
		stop:        make(chan struct{}),
		ended:       make(chan struct{}),
	}
}

// Status tells how the service is now.
func (s *Service) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Description gives what the service was last told to be.
func (s *Service) Description() instance.Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.description
}

// Update gives the service another description, which its next start follows.
func (s *Service) Update(description instance.Service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.description = description
}

// Run runs the service once every service in after has been started, until Stop.
func (s *Service) Run(after []*Service) {
	defer close(s.ended)
	defer s.set(Stopped)
	for _, other := range after {
		select {
		case <-other.wasStarted:
		case <-s.stop:
			return
		}
	}
	delay := probe.Backoff{First: firstDelay, Limit: longestDelay}
	for {
		began := time.Now()
		switch s.runOnce() {
		case stopped:
			return
		case restarted:
			delay.Reset()
			continue
		case ended:
		}
		if time.Since(began) >= longEnough {
			delay.Reset()
		}
		if !s.pause(delay.Next()) {
			return
		}
	}
}

type outcome int

const (
	ended outcome = iota
	restarted
	stopped
)

// runOnce runs the service to its end, or until it is stopped or restarted on request.
func (s *Service) runOnce() outcome {
	s.set(Starting)
	description := s.Description()
	p, err := s.start(description)
	if err != nil {
		s.console.Printf("service %s: %s", description.Name, err)
		s.setEnd(exitCodeOf(err))
		return ended
	}
	s.setRunning(p)
	defer p.KillAll()
	select {
	case <-p.Done():
		s.console.Printf("service %s ended with %d", description.Name, p.ExitCode())
		s.setEnd(p.ExitCode())
		return ended
	case <-s.again:
		s.end(p, description.Stop)
		return restarted
	case <-s.stop:
		s.end(p, description.Stop)
		return stopped
	}
}

func (s *Service) start(description instance.Service) (*process.Process, error) {
	output, err := s.console.Pipe(description.Name)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	return s.table.Start(process.Command{
		Label:       description.Name,
		Args:        description.Command,
		Environment: description.Environment,
		User:        description.User,
		Directory:   description.Directory,
		Stdout:      output,
		Stderr:      output,
	})
}

// end asks the program to end, and insists when it takes too long.
func (s *Service) end(p *process.Process, how instance.Stop) {
	signal, err := process.SignalOf(how.Signal)
	if err == nil {
		p.Signal(signal)
		select {
		case <-p.Done():
			return
		case <-time.After(how.TimeoutMs.Duration()):
			s.console.Printf("service %s did not end in time and is killed", s.Status().Name)
		}
	}
	p.KillAll()
	<-p.Done()
}

// pause waits before the next start. @returns false when the service was stopped meanwhile
func (s *Service) pause(delay time.Duration) bool {
	s.mu.Lock()
	s.status.State = Backoff
	s.status.Restarts++
	s.mu.Unlock()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.again:
		return true
	case <-s.stop:
		return false
	}
}

// Stop ends the service and returns when it has ended.
func (s *Service) Stop() {
	s.stopOnce.Do(func() { close(s.stop) })
	<-s.ended
}

// Restart ends the service and starts it again; one that waits for its next start gets it now. Does not wait.
func (s *Service) Restart() {
	select {
	case s.again <- struct{}{}:
	default: // a restart is due already
	}
}

func (s *Service) set(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.State = state
}

func (s *Service) setRunning(p *process.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
	s.status.State = Running
	select {
	case <-s.wasStarted:
	default:
		close(s.wasStarted)
	}
}

func (s *Service) setEnd(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.ExitCode = &code
}
