package confine

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"syscall"
)

// StartAnew starts this program again in the same process, by way of a command that executes what is appended to it, with
// more arguments and without any descriptor beyond standard error but those given. What a caller's shell has left open would
// otherwise stay open for as long as the program runs. It returns only when that failed.
func StartAnew(by []string, kept []*os.File, arguments ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command := append(append([]string{}, by...), self)
	command = append(append(command, os.Args[1:]...), arguments...)
	program, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	if err := closeAtExec(3); err != nil {
		return err
	}
	for _, file := range kept {
		if _, _, code := syscall.RawSyscall(syscall.SYS_FCNTL, file.Fd(), syscall.F_SETFD, 0); code != 0 {
			return code
		}
	}
	return fmt.Errorf("start anew: %w", syscall.Exec(program, command, os.Environ()))
}

// closeAtExec lets no descriptor from a number on reach the program that is executed next.
func closeAtExec(first uintptr) error {
	const sysCloseRange, closeOnExec = 436, 4
	if _, _, code := syscall.RawSyscall(sysCloseRange, first, math.MaxUint32, closeOnExec); code != 0 {
		return fmt.Errorf("close_range: %w", code)
	}
	return nil
}
