// Package command runs a command for the host, with its input and output on the channel.
package command

import (
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"

	"sheaf/kit/internal/channel"
	"sheaf/kit/internal/process"
)

// request is the op exec.
type request struct {
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"`
	User        string            `json:"user"`
	Directory   string            `json:"directory"`
	TimeoutMs   int64             `json:"timeoutMs"`
	Stdin       bool              `json:"stdin"`
}

type result struct {
	ExitCode int `json:"exitCode"`
}

// lingering is how long the output of what a command leaves running is still passed on.
const lingering = 250 * time.Millisecond

// Run runs a command and answers with its exit code. Nothing that it started outlives it, or the session.
func Run(table *process.Table, session *channel.Session, asked channel.Request) {
	var r request
	if err := json.Unmarshal(asked.Line, &r); err != nil || len(r.Command) == 0 || r.Command[0] == "" {
		session.Fail(asked, "REQUEST_WRONG", errors.New("exec needs a command"))
		return
	}
	pipes, err := openPipes(r.Stdin)
	if err != nil {
		session.Fail(asked, "EXEC_FAILED", err)
		return
	}
	defer pipes.close()
	p, err := table.Start(process.Command{
		Label:       "exec",
		Args:        r.Command,
		Environment: r.Environment,
		User:        r.User,
		Directory:   r.Directory,
		Stdin:       pipes.stdin.theirs,
		Stdout:      pipes.stdout.theirs,
		Stderr:      pipes.stderr.theirs,
	})
	pipes.closeTheirs()
	if err != nil {
		refuse(session, asked, err)
		return
	}
	defer p.KillAll()

	var outputs sync.WaitGroup
	outputs.Add(2)
	go pass(session, asked, "stdout", pipes.stdout.ours, &outputs)
	go pass(session, asked, "stderr", pipes.stderr.ours, &outputs)
	over := make(chan struct{})
	defer close(over)
	go feed(session, asked, p, pipes.stdin.ours, over)
	awaitEnd(session, p, r.TimeoutMs)
	drain(session, p, pipes, &outputs)
	session.Answer(asked, result{p.ExitCode()})
}

// awaitEnd returns when the command has ended, or was ended because the session or its time is over.
func awaitEnd(session *channel.Session, p *process.Process, timeoutMs int64) {
	var late <-chan time.Time
	if timeoutMs > 0 {
		timer := time.NewTimer(time.Duration(timeoutMs) * time.Millisecond)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-p.Done():
		return
	case <-late:
	case <-session.Context.Done():
	}
	p.KillAll()
	<-p.Done()
}

// drain passes on what was written before the end. What the command left running is ended soon, and with it the output.
func drain(session *channel.Session, p *process.Process, pipes *pipes, outputs *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		outputs.Wait()
		close(done)
	}()
	timer := time.NewTimer(lingering)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	p.KillAll()
	select {
	case <-done:
	case <-session.Context.Done():
		pipes.close()
		<-done
	}
}

// refuse tells as a shell does why a command could not be started.
func refuse(session *channel.Session, asked channel.Request, err error) {
	var failure *process.StartError
	if !errors.As(err, &failure) {
		session.Fail(asked, "EXEC_FAILED", err)
		return
	}
	_ = session.Send(map[string]any{"id": asked.ID, "stderr": []byte("sheaf: " + failure.Message + "\n")})
	session.Answer(asked, result{failure.ExitCode})
}

// pass sends everything that a command writes, until nobody can write any more or the host is gone.
func pass(session *channel.Session, asked channel.Request, name string, from *os.File, done *sync.WaitGroup) {
	defer done.Done()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && session.Send(map[string]any{"id": asked.ID, name: buffer[:n]}) != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// feed passes the host's input on, tells how much of it was taken, and goes on taking it when the command does not
// want it any more.
func feed(session *channel.Session, asked channel.Request, p *process.Process, stdin *os.File, over <-chan struct{}) {
	if stdin != nil {
		defer stdin.Close()
	}
	for {
		input, ok := asked.Inputs.Next(over)
		switch {
		case !ok:
			return
		case input.Signal != "":
			if signal, err := process.SignalOf(input.Signal); err == nil {
				p.Signal(signal)
			}
		case input.Stdin == nil:
			stdin.Close() // of a nil file: an error and nothing else
		default:
			_, _ = stdin.Write(input.Stdin) // a command may close its input early
			_ = session.Send(map[string]any{"id": asked.ID, "taken": len(input.Stdin)})
		}
	}
}
