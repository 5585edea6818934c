package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"sheaf/kit/internal/confine"
	"sheaf/kit/internal/endpoint"
	"sheaf/kit/internal/logfile"
	"sheaf/kit/internal/uplink"
)

// The log of a way out: its name in its folder, the bytes after which it is set aside, how many are kept so.
const (
	uplinkLog      = "log"
	uplinkLogBytes = 1 << 20
	uplinkLogKeep  = 1
	outputLog      = "-"
)

// uplinkOptions is the command line of the verb uplink; what may pass comes on standard input unless a file is named.
type uplinkOptions struct {
	listen, log, rules, name, network string
	enter                             list
	user                              int
	isClean                           bool
}

func parseUplink(arguments []string) (uplinkOptions, error) {
	var o uplinkOptions
	flags := flag.NewFlagSet("uplink", flag.ContinueOnError)
	flags.StringVar(&o.listen, "listen", "", "IP:PORT in the network of the deployment")
	flags.Var(&o.enter, "enter", "a word of the command that goes into that network; repeatable")
	flags.StringVar(&o.log, "log", "", "folder of the log, made when absent; - for standard output")
	flags.StringVar(&o.rules, "rules", "", "file of what may pass; standard input without it")
	flags.StringVar(&o.name, "name", "", "a mark by which this process is found")
	flags.StringVar(&o.network, "network", "", "a mark of the network that it was made for")
	flags.IntVar(&o.user, "uid", 0, "user and group to become")
	flags.BoolVar(&o.isClean, "clean", false, "set by the program itself")
	err := flags.Parse(arguments)
	if err == nil && (o.listen == "" || o.log == "") {
		err = errors.New("uplink needs --listen and --log")
	}
	return o, err
}

// runUplink listens inside a deployment's network, stays outside, and carries what may pass until it is ended.
// @returns the exit code
func runUplink(arguments []string) int {
	options, err := parseUplink(arguments)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	if !options.isClean {
		return report("UPLINK_FAILED", confine.StartAnew(nil, nil, "--clean"))
	}
	return report("UPLINK_FAILED", serveUplink(options))
}

func serveUplink(options uplinkOptions) error {
	rules, err := readUplinkRules(options.rules)
	if err != nil {
		return err
	}
	listener, err := listenThere(options)
	if err != nil {
		return err
	}
	if options.log != outputLog {
		if err := openFolder(options.log, options.user); err != nil {
			return err
		}
	}
	if err := confine.Become(options.user); err != nil {
		return fmt.Errorf("user %d: %w", options.user, err)
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP) // a Ctrl-C in the terminal is for whoever started us
	if _, err := fmt.Println("ready"); err != nil {
		return err
	}
	if options.log == outputLog {
		return uplink.New(rules, logToOutput()).Serve(listener)
	}
	lines, pen, err := os.Pipe()
	if err != nil {
		return err
	}
	go logfile.New(uplinkLog, uplinkLogBytes, uplinkLogKeep).CopyFrom(lines)
	silence()
	return uplink.New(rules, func(line string) { fmt.Fprintln(pen, line) }).Serve(listener)
}

func readUplinkRules(path string) (uplink.Rules, error) {
	if path == "" {
		return uplink.ReadRules(os.Stdin) // a socket, which cannot be opened again by its name in /dev
	}
	file, err := os.Open(path)
	if err != nil {
		return uplink.Rules{}, err
	}
	defer file.Close()
	return uplink.ReadRules(file)
}

// logToOutput gives a log whose lines go to standard output. Those that wait while nobody reads it are few; others are lost,
// for a reader that is gone must hold up no connection.
func logToOutput() func(line string) {
	const mostWaiting = 256
	lines := make(chan string, mostWaiting)
	go func() {
		for line := range lines {
			fmt.Println(line)
		}
	}()
	return func(line string) {
		select {
		case lines <- line:
		default:
		}
	}
}

// listenThere gets a listening socket of another network. A process whose threads are in several networks would connect
// from any of them, so another process goes there, and sends the socket back.
func listenThere(options uplinkOptions) (*net.TCPListener, error) {
	if len(options.enter) == 0 {
		socket, err := endpoint.Listen("tcp", options.listen)
		if err != nil {
			return nil, err
		}
		return listenerOf(socket)
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	here, there := os.NewFile(uintptr(pair[0]), "here"), os.NewFile(uintptr(pair[1]), "there")
	defer here.Close()
	defer there.Close()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	words := append(append([]string{}, options.enter...), self, "listen", options.listen)
	child := exec.Command(words[0], words[1:]...)
	child.ExtraFiles = []*os.File{there}
	said, err := child.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", options.listen, err, said)
	}
	socket, err := receive(here)
	if err != nil {
		return nil, err
	}
	return listenerOf(socket)
}

func listenerOf(socket *os.File) (*net.TCPListener, error) {
	defer socket.Close()
	listener, err := net.FileListener(socket)
	if err != nil {
		return nil, err
	}
	return listener.(*net.TCPListener), nil
}

func receive(from *os.File) (*os.File, error) {
	rights := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := syscall.Recvmsg(int(from.Fd()), make([]byte, 1), rights, syscall.MSG_CMSG_CLOEXEC|syscall.MSG_DONTWAIT)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return nil, io.ErrUnexpectedEOF
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, io.ErrUnexpectedEOF
	}
	return os.NewFile(uintptr(fds[0]), "listener"), nil
}

// runListen listens at an address and sends the socket to whoever holds the other end of descriptor 3. @returns the exit code
func runListen(arguments []string) int {
	const to = 3
	if len(arguments) != 1 {
		usage()
	}
	socket, err := endpoint.Listen("tcp", arguments[0])
	if err == nil {
		err = syscall.Sendmsg(to, []byte{0}, syscall.UnixRights(int(socket.Fd())), nil, 0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return 0
}
