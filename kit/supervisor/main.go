// Command supervisor is the first process of every instance; kit/PROTOCOL.md says what it does.
package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"sheaf/kit/internal/console"
	"sheaf/kit/internal/guest"
	"sheaf/kit/internal/process"
)

const (
	// Every guest holds this process for life, so memory is dearer than the collector's time.
	garbagePercent = 25
	signalledLimit = 30 * time.Second
)

func main() {
	debug.SetGCPercent(garbagePercent)
	if os.Args[0] == "/init" {
		runMachine()
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "channel" {
		os.Exit(runChannel())
	}
	if len(os.Args) == 3 && os.Args[1] == "volume" {
		os.Exit(runVolume(os.Args[2]))
	}
	os.Exit(runContainer())
}

// begin makes the guest, and lets signals end it.
func begin(cgroups string, out *os.File) *guest.Guest {
	table := process.NewTable(cgroups)
	go table.Reap(nil)
	g := guest.New(table, console.New(out))
	go func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
		<-signals
		g.Stop(signalledLimit)
	}()
	return g
}
