package main

import (
	"fmt"
	"os"

	"sheaf/kit/internal/volume"
)

// runVolume lets the host, who has started this program beside the services, reach into a volume. @returns the exit code
func runVolume(mount string) int {
	if err := volume.Serve(mount, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sheaf:", err)
		return 1
	}
	return 0
}
