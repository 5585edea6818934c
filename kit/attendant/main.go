// Command attendant stands beside virtual machines on the host: it keeps their logs and holds their endpoints.
package main

import (
	"fmt"
	"os"
)

const exitUsage = 2

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	switch verb, arguments := os.Args[1], os.Args[2:]; verb {
	case "log":
		os.Exit(runLog(arguments))
	case "endpoint":
		os.Exit(runEndpoint(arguments))
	default:
		usage()
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: attendant log --file F --size BYTES --keep N\n"+
		"       attendant endpoint --listen ADDRESS:PORT --transport tcp|udp --target IP:PORT… --gateway IP --enter WORD…")
	os.Exit(exitUsage)
}
