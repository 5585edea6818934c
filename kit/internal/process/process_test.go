package process

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
)

const patience = 10 * time.Second

// One table for all tests: it reaps every child of this process.
var table = func() *Table {
	t := NewTable("")
	go t.Reap(nil)
	return t
}()

func start(t *testing.T, c Command) (*Process, *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	c.Stdout, c.Stderr = writer, writer
	p, err := table.Start(c)
	writer.Close()
	if err != nil {
		t.Fatal(err)
	}
	return p, reader
}

func end(t *testing.T, p *Process) int {
	t.Helper()
	select {
	case <-p.Done():
		return p.ExitCode()
	case <-time.After(patience):
		t.Fatal("it does not end")
		return 0
	}
}

func TestExitCodesAreThoseOfAShell(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143, "kill -KILL $$": 137} {
		p, _ := start(t, Command{Args: []string{"sh", "-c", script}})
		if got := end(t, p); got != want {
			t.Errorf("%s: %d", script, got)
		}
	}
}

func TestWhatCannotBeStartedSaysWhy(t *testing.T) {
	for _, c := range []struct {
		command Command
		want    int
	}{
		{Command{Args: []string{"no-such-program"}}, 127},
		{Command{Args: []string{"/no/such/program"}}, 127},
		{Command{Args: []string{"/etc/passwd"}}, 126},
		{Command{Args: []string{"/"}}, 126},
		{Command{Args: []string{"true"}, User: "nobody-of-this-name"}, 126},
	} {
		_, err := table.Start(c.command)
		var failure *StartError
		if !errors.As(err, &failure) || failure.ExitCode != c.want {
			t.Errorf("%v: %v", c.command.Args, err)
		}
	}
}

func TestAProgramGetsItsEnvironmentAndFolder(t *testing.T) {
	p, output := start(t, Command{
		Args:        []string{"sh", "-c", "echo $A $HOME $USER; pwd"},
		Environment: map[string]string{"A": "b", "HOME": "/h"},
		Directory:   "/usr",
	})
	text, _ := io.ReadAll(output)
	end(t, p)
	if string(text) != "b /h root\n/usr\n" {
		t.Errorf("%q", text)
	}
}

func TestASignalReachesTheProgramAndNobodyAfterItsEnd(t *testing.T) {
	p, output := start(t, Command{Args: []string{"sh", "-c", "trap 'exit 5' USR1; echo up; while :; do sleep 0.01; done"}})
	_, _ = io.ReadFull(output, make([]byte, 3))
	p.Signal(syscall.SIGUSR1)
	if got := end(t, p); got != 5 {
		t.Error(got)
	}
	p.Signal(syscall.SIGKILL) // must find nobody
}

func TestKillAllEndsWhatTheProgramStarted(t *testing.T) {
	p, output := start(t, Command{Args: []string{"sh", "-c", "sleep 1000 & echo up; wait"}})
	_, _ = io.ReadFull(output, make([]byte, 3))
	p.KillAll()
	p.KillAll()
	if got := end(t, p); got != 137 {
		t.Error(got)
	}
	_ = output.SetReadDeadline(time.Now().Add(patience))
	if rest, err := io.ReadAll(output); err != nil || len(bytes.TrimSpace(rest)) > 0 {
		t.Errorf("somebody still holds the output: %q %v", rest, err)
	}
}

func TestSignalOf(t *testing.T) {
	for name, want := range map[string]syscall.Signal{"HUP": syscall.SIGHUP, "SIGTERM": syscall.SIGTERM} {
		if got, err := SignalOf(name); err != nil || got != want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if _, err := SignalOf("hup"); err == nil {
		t.Error("hup is a signal")
	}
}
