// Command attendant stands beside virtual machines on the host: it starts them, keeps their consoles, holds the doors of their networks and
// probes them.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
)

const (
	exitUsage  = 2
	exitFailed = 4
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	switch verb, arguments := os.Args[1], os.Args[2:]; verb {
	case "machine":
		os.Exit(runMachine(arguments))
	case "inside":
		os.Exit(runInside())
	case "endpoint":
		os.Exit(runEndpoint(arguments))
	case "probe":
		os.Exit(runProbe(arguments))
	case "uplink":
		os.Exit(runUplink(arguments))
	case "sandbox":
		os.Exit(runSandbox(arguments))
	case "lend":
		os.Exit(runLend(arguments))
	case "listen":
		os.Exit(runListen(arguments))
	default:
		usage()
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: attendant machine --console FOLDER --size BYTES --keep N --uid USER <DESCRIPTION\n"+
		"       attendant endpoint --listen ADDRESS:PORT --transport tcp|udp --target IP:PORT… [--gateway IP] [--proxy-protocol] [--enter WORD…]\n"+
		"       attendant uplink --listen IP:PORT --log FOLDER|- [--rules FILE] [--uid USER] [--enter WORD…] <RULES\n"+
		"       attendant sandbox --rules FILE [--once]\n"+
		"       attendant lend --monitor SOCKET --file FILE --node NAME\n"+
		"       attendant probe --address IP:PORT --path /PAGE --timeout DURATION")
	os.Exit(exitUsage)
}

// report tells a failure to whoever started us. @returns the exit code
func report(code string, err error) int {
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"error": map[string]string{"code": code, "message": err.Error()},
	})
	return exitFailed
}

// silence puts /dev/null in the place of the pipes to whoever started us, who may be gone tomorrow.
func silence() {
	if null, err := os.OpenFile("/dev/null", os.O_RDWR, 0); err == nil {
		for _, fd := range []int{0, 1, 2} {
			_ = syscall.Dup3(int(null.Fd()), fd, 0)
		}
		null.Close()
	}
}
