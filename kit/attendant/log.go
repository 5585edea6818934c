package main

import (
	"flag"
	"os"
	"os/signal"
	"syscall"

	"sheaf/kit/internal/logfile"
)

// runLog copies standard input to a file until its end. @returns the exit code
func runLog(arguments []string) int {
	flags := flag.NewFlagSet("log", flag.ContinueOnError)
	file := flags.String("file", "", "where the log goes")
	size := flags.Int64("size", 8<<20, "bytes after which the file is set aside")
	keep := flags.Int("keep", 1, "how many files are set aside")
	if flags.Parse(arguments) != nil || *file == "" || *size < 1 || *keep < 1 {
		return exitUsage
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP) // a Ctrl-C in the terminal is for whoever started us
	logfile.New(*file, *size, *keep).CopyFrom(os.Stdin)
	return 0
}
