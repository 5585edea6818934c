package service

import (
	"context"
	"errors"

	"sheaf/kit/internal/console"
	"sheaf/kit/internal/process"
)

// RunToEnd runs a command whose output goes to the console. @returns its exit code; when the context ends first, it is killed
func RunToEnd(ctx context.Context, table *process.Table, console *console.Console, c process.Command) (int, error) {
	output, err := console.Pipe(c.Label)
	if err != nil {
		return 0, err
	}
	defer output.Close()
	c.Stdout, c.Stderr = output, output
	p, err := table.Start(c)
	if err != nil {
		return exitCodeOf(err), err
	}
	defer p.KillAll()
	select {
	case <-p.Done():
		return p.ExitCode(), nil
	case <-ctx.Done():
		p.KillAll()
		<-p.Done()
		return p.ExitCode(), ctx.Err()
	}
}

func exitCodeOf(err error) int {
	var failure *process.StartError
	if errors.As(err, &failure) {
		return failure.ExitCode
	}
	return 126
}
