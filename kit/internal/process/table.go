// Package process starts programs and notices their ends, as the first process of a machine must.
package process

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Table knows every process that was started and has not ended.
//
// One loop waits for all children, those that were orphaned and fell to process 1 included. Starting and
// reaping exclude each other, so an end is never seen before the process is in the table.
type Table struct {
	mu       sync.Mutex
	children map[int]*Process
	groups   *groups
}

// NewTable makes a table; cgroups is the folder of a cgroup2 hierarchy that is ours, or "" where there is none.
func NewTable(cgroups string) *Table {
	return &Table{children: map[int]*Process{}, groups: openGroups(cgroups)}
}

// Reap notices the ends of children until stop is closed. It must run exactly once a process.
func (t *Table) Reap(stop <-chan struct{}) {
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGCHLD)
	defer signal.Stop(ends)
	for {
		t.reapAll()
		select {
		case <-ends:
		case <-stop:
			return
		}
	}
}

func (t *Table) reapAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 {
			return
		}
		if p := t.children[pid]; p != nil {
			delete(t.children, pid)
			p.exitCode = exitCodeOf(status)
			close(p.done)
		}
	}
}

// exitCodeOf gives a shell's view of an end: the code, or 128 + the signal.
func exitCodeOf(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// Process is a program that was started, and all that it starts in turn.
type Process struct {
	table    *Table
	pid      int
	group    string
	done     chan struct{}
	exitCode int
	isKilled bool
}

// Done is closed when the program itself has ended; what it started may still run.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is the code of the end, once Done is closed.
func (p *Process) ExitCode() int { return p.exitCode }

// Signal sends a signal to the program itself. An ended program gets none, and so does nobody who has its number by now.
func (p *Process) Signal(signal syscall.Signal) {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	if p.table.children[p.pid] == p {
		_ = syscall.Kill(p.pid, signal)
	}
}

// KillAll ends the program and everything that it started. Later calls do nothing.
func (p *Process) KillAll() {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	if p.isKilled {
		return
	}
	p.isKilled = true
	if p.group != "" {
		p.table.groups.kill(p.group)
		return
	}
	// Without control groups the session that the program leads is all that can be named; an ended leader's number
	// is not given away while members of its session live.
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	for _, member := range sessionOf(p.pid) {
		_ = syscall.Kill(member, syscall.SIGKILL)
	}
}
