package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"sheaf/kit/internal/endpoint"
)

const (
	exitTaken  = 3
	exitFailed = 4
)

// endpointOptions is the command line of the verb endpoint.
type endpointOptions struct {
	listen, transport, gateway, name string
	targets, enter                   list
	user, group, inherited           int
}

type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parseEndpoint(arguments []string) (endpointOptions, error) {
	var o endpointOptions
	flags := flag.NewFlagSet("endpoint", flag.ContinueOnError)
	flags.StringVar(&o.listen, "listen", "", "ADDRESS:PORT in the network of the caller")
	flags.StringVar(&o.transport, "transport", "tcp", "tcp or udp")
	flags.Var(&o.targets, "target", "IP:PORT in the namespace; repeatable")
	flags.Var(&o.enter, "enter", "a word of the command that goes into the network of the targets; repeatable")
	flags.StringVar(&o.gateway, "gateway", "", "the namespace's own address")
	flags.StringVar(&o.name, "name", "", "a mark by which this process is found")
	flags.IntVar(&o.user, "uid", 0, "user to become")
	flags.IntVar(&o.group, "gid", 0, "group to become")
	flags.IntVar(&o.inherited, "inherited", -1, "the socket; set by the program itself")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if o.listen == "" || len(o.targets) == 0 || (o.transport != "tcp" && o.transport != "udp") {
		return o, errors.New("endpoint needs --listen, --target and a known --transport")
	}
	if net.ParseIP(o.gateway).To4() == nil {
		return o, errors.New("--gateway is not an IPv4 address")
	}
	return o, nil
}

// runEndpoint listens, moves into the namespace, and carries traffic until it is ended. @returns the exit code
//
// Once Go runs, a process has several threads, which can neither enter another user's namespace nor be kept in one network.
// So the program becomes the command that enters, which becomes this program again, with the socket still open.
func runEndpoint(arguments []string) int {
	options, err := parseEndpoint(arguments)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	if options.inherited < 0 {
		err = move(options)
	} else {
		err = serve(options)
	}
	return report(err)
}

func report(err error) int {
	failure, exit := "ENDPOINT_FAILED", exitFailed
	if errors.Is(err, endpoint.ErrAddressTaken) {
		failure, exit = "ADDRESS_TAKEN", exitTaken
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"error": map[string]string{"code": failure, "message": err.Error()},
	})
	return exit
}

// move listens and starts the program anew inside the namespace. It returns only when that failed.
func move(options endpointOptions) error {
	socket, err := endpoint.Listen(options.transport, options.listen)
	if err != nil {
		return err
	}
	// The new program keeps the socket, whose number it is told.
	if _, _, code := syscall.Syscall(syscall.SYS_FCNTL, socket.Fd(), syscall.F_SETFD, 0); code != 0 {
		return code
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command := append(append([]string{}, options.enter...), self)
	command = append(append(command, os.Args[1:]...), "--inherited", fmt.Sprint(socket.Fd()))
	program, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("start anew: %w", syscall.Exec(program, command, os.Environ()))
}

// serve gives up its rights and carries traffic. It tells that it is ready, and nothing else ever.
func serve(options endpointOptions) error {
	if err := drop(options.user, options.group); err != nil {
		return fmt.Errorf("user %d: %w", options.user, err)
	}
	socket := os.NewFile(uintptr(options.inherited), options.listen)
	if _, err := fmt.Println("ready"); err != nil {
		return err
	}
	silence()
	source := endpoint.Source{Gateway: net.ParseIP(options.gateway).To4()}
	return endpoint.Serve(options.transport, socket, endpoint.NewTargets(options.targets), source)
}

// drop becomes another user for good. With 0 and 0 it stays who it is.
func drop(user, group int) error {
	const prSetNoNewPrivileges = 38
	if _, _, code := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivileges, 1, 0, 0, 0, 0); code != 0 {
		return code
	}
	if user == 0 && group == 0 {
		return nil
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setresgid(group, group, group); err != nil {
		return err
	}
	return syscall.Setresuid(user, user, user)
}

// silence puts /dev/null in the place of the pipe to whoever started us, who may be gone tomorrow.
func silence() {
	if null, err := os.OpenFile("/dev/null", os.O_RDWR, 0); err == nil {
		for _, fd := range []int{0, 1, 2} {
			_ = syscall.Dup3(int(null.Fd()), fd, 0)
		}
		null.Close()
	}
}
