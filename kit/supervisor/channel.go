package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

// runChannel carries the words of a host, who starts this program by its provider's means, to the supervisor and back. It
// ends with whichever side ends first, and with it what the host had begun. @returns the exit code
func runChannel() int {
	socket, err := net.Dial("unix", socketPath)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sheaf:", err)
		return 1
	}
	ends := make(chan struct{}, 2)
	carry := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from)
		ends <- struct{}{}
	}
	go carry(socket, os.Stdin)
	go carry(os.Stdout, socket)
	<-ends
	return 0
}
