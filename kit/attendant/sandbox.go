package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"sheaf/kit/internal/sandbox"
)

// runSandbox is the life of a container that owns an instance's network namespace: rules first, then rest. With -once it
// only brings the rules up to date. @returns the exit code
//
// Nothing passes from the first act on, also when the rules cannot be read.
func runSandbox(arguments []string) int {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	file := flags.String("rules", "", "file of what may pass")
	once := flags.Bool("once", false, "load the rules and end")
	if flags.Parse(arguments) != nil || *file == "" {
		return exitUsage
	}
	if err := load(*file, *once); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		return exitFailed
	}
	fmt.Println("ready")
	if *once {
		return 0
	}
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	<-ends
	return 0
}

func load(file string, isClosed bool) error {
	if !isClosed {
		if err := sandbox.Load(sandbox.Rules{}); err != nil {
			return err
		}
	}
	rules, err := sandbox.ReadRules(file)
	if err != nil {
		return err
	}
	return sandbox.Load(rules)
}
