package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"sheaf/kit/internal/probe"
)

// runProbe asks once whether somebody serves at an address, as seen from the namespace that it is started in.
// @returns 0 when so, 1 when not, with the reason on standard error
func runProbe(arguments []string) int {
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	address := flags.String("address", "", "IP:PORT")
	path := flags.String("path", "", "page to ask for by HTTP; without one a connection is enough")
	timeout := flags.Duration("timeout", 3*time.Second, "how long it may take")
	if flags.Parse(arguments) != nil || *address == "" {
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	err := probeOnce(ctx, *address, *path)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func probeOnce(ctx context.Context, address, path string) error {
	if path == "" {
		return probe.TCP(ctx, address)
	}
	status, err := probe.HTTP(ctx, address, path)
	if err == nil && status >= 400 {
		return fmt.Errorf("the answer to %s is %d", path, status)
	}
	return err
}
