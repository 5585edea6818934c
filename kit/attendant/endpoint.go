package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"

	"sheaf/kit/internal/confine"
	"sheaf/kit/internal/endpoint"
)

const exitTaken = 3

// endpointOptions is the command line of the verb endpoint.
type endpointOptions struct {
	listen, transport, gateway, name string
	targets, enter                   list
	user, inherited                  int
	tellsClients                     bool
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
	flags.StringVar(&o.gateway, "gateway", "", "the namespace's own address; without one clients' addresses are not carried on")
	flags.BoolVar(&o.tellsClients, "proxy-protocol", false, "whether a header tells targets each client's address")
	flags.StringVar(&o.name, "name", "", "a mark by which this process is found")
	flags.IntVar(&o.user, "uid", 0, "user and group to become")
	flags.IntVar(&o.inherited, "inherited", -1, "the socket; set by the program itself")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if o.listen == "" || len(o.targets) == 0 || (o.transport != "tcp" && o.transport != "udp") {
		return o, errors.New("endpoint needs --listen, --target and a known --transport")
	}
	if o.gateway != "" && net.ParseIP(o.gateway).To4() == nil {
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
	if errors.Is(err, endpoint.ErrAddressTaken) {
		report("ADDRESS_TAKEN", err)
		return exitTaken
	}
	return report("ENDPOINT_FAILED", err)
}

// move listens and starts the program anew inside the namespace. It returns only when that failed.
func move(options endpointOptions) error {
	socket, err := endpoint.Listen(options.transport, options.listen)
	if err != nil {
		return err
	}
	// the new program keeps the socket, whose number it is told
	return confine.StartAnew(options.enter, []*os.File{socket}, "--inherited", fmt.Sprint(socket.Fd()))
}

// serve gives up its rights and carries traffic. It tells that it is ready, and nothing else ever.
func serve(options endpointOptions) error {
	if err := confine.Become(options.user); err != nil {
		return fmt.Errorf("user %d: %w", options.user, err)
	}
	socket := os.NewFile(uintptr(options.inherited), options.listen)
	if _, err := fmt.Println("ready"); err != nil {
		return err
	}
	silence()
	source := endpoint.Source{Gateway: net.ParseIP(options.gateway).To4(), ProxyProtocol: options.tellsClients}
	return endpoint.Serve(options.transport, socket, endpoint.NewTargets(options.targets), source)
}
