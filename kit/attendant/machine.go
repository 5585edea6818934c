package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"sheaf/kit/internal/confine"
	"sheaf/kit/internal/logfile"
)

// consoleName and endName are the files in a console's folder.
const (
	consoleName = "console"
	endName     = "end.json"
)

// machineOptions is the command line of the verb machine. The machine itself is described on standard input, so that its
// marks stand in the command line of QEMU alone.
type machineOptions struct {
	folder     string
	size       int64
	keep, user int
	isClean    bool
}

func parseMachine(arguments []string) (machineOptions, error) {
	var o machineOptions
	flags := flag.NewFlagSet("machine", flag.ContinueOnError)
	flags.StringVar(&o.folder, "console", "", "folder of the console's files, made when absent")
	flags.Int64Var(&o.size, "size", 8<<20, "bytes after which the console's file is set aside")
	flags.IntVar(&o.keep, "keep", 1, "how many files are set aside")
	flags.IntVar(&o.user, "uid", 0, "user to become once the machine is started")
	flags.BoolVar(&o.isClean, "clean", false, "set by the program itself")
	err := flags.Parse(arguments)
	if err == nil && (o.folder == "" || o.size < 1 || o.keep < 1) {
		err = errors.New("machine needs --console, and sizes above 0")
	}
	return o, err
}

// runMachine starts a machine, tells its process's number, and keeps its console until it ends. @returns the exit code
func runMachine(arguments []string) int {
	options, err := parseMachine(arguments)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	if !options.isClean {
		return report("MACHINE_FAILED", confine.StartAnew(nil, nil, "--clean"))
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP) // a Ctrl-C in the terminal is for whoever started us
	machine, err := confine.Read(os.Stdin)
	if err != nil {
		return report("MACHINE_FAILED", err)
	}
	if err := openConsole(options); err != nil {
		return report("MACHINE_FAILED", err)
	}
	output, input, err := os.Pipe()
	if err != nil {
		return report("MACHINE_FAILED", err)
	}
	process, err := machine.Start(input, "inside")
	input.Close() // the machine alone holds it, so the console ends with it
	if err != nil {
		return report("MACHINE_FAILED", err)
	}
	endBoot, err := machine.Boot.End(process.Pid)
	if err != nil {
		_ = process.Kill()
		return report("MACHINE_FAILED", err)
	}
	fmt.Printf("{\"pid\":%d}\n", process.Pid)
	silence()
	if err := withdraw(options.user); err != nil {
		_ = process.Kill()
		return exitFailed
	}
	go endBoot()
	logfile.New(consoleName, options.size, options.keep).CopyFrom(output)
	if state, err := process.Wait(); err == nil {
		writeEnd(state)
	}
	return 0
}

// openConsole makes the console's folder and goes there, so that its files need no path from then on.
func openConsole(options machineOptions) error {
	if err := openFolder(options.folder, options.user); err != nil {
		return err
	}
	if err := os.Remove(endName); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// openFolder makes a folder that is to belong to a user, and goes there. It and all that is made in it stay our group's too:
// whoever is not the host's root could neither read nor remove it otherwise.
func openFolder(folder string, user int) error {
	syscall.Umask(0o077)
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if user != 0 {
		syscall.Umask(0o007)
		if err := os.Lchown(folder, user, os.Getegid()); err != nil {
			return err
		}
		if err := os.Chmod(folder, 0o770|os.ModeSetgid); err != nil {
			return err
		}
	}
	return os.Chdir(folder)
}

// withdraw leaves this program nothing of the host but the console's folder, and no rights: what it reads is a guest's.
func withdraw(user int) error {
	if user != 0 {
		if err := syscall.Chroot("."); err != nil {
			return err
		}
	}
	return confine.Become(user)
}

// writeEnd leaves behind how the machine ended.
func writeEnd(state *os.ProcessState) {
	end := map[string]any{"exitCode": state.ExitCode()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		end = map[string]any{"signal": status.Signal().String()}
	}
	if text, err := json.Marshal(end); err == nil {
		_ = os.WriteFile(endName, text, 0o660)
	}
}

// runInside becomes the machine's program in the namespaces that runMachine has made for it.
func runInside() int {
	fmt.Fprintln(os.Stderr, confine.Enter())
	return exitFailed
}
