package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"sheaf/kit/internal/boot"
	"sheaf/kit/internal/channel"
	"sheaf/kit/internal/guest"
	"sheaf/kit/internal/instance"
)

const socketPath = "/run/sheaf/control.sock"

// mostClients bounds how many hosts may be on the socket at once.
const mostClients = 16

// runContainer is the life of a container, whose provider has mounted and configured everything. @returns the exit code
func runContainer() int {
	g := begin("", os.Stdout)
	listener, err := listen(socketPath)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sheaf:", err)
		return 1
	}
	go accept(listener, g)
	fmt.Println("sheaf: the container starts")
	go settle(g)
	<-g.Over()
	return 0
}

// settle lays what the host has given into the container, and follows the description.
func settle(g *guest.Guest) {
	address, err := takeGifts(giftsPath)
	if err != nil {
		g.Fail(err)
		return
	}
	hostname, _ := os.Hostname()
	g.SetIdentity(hostname, address)
	description, err := instance.Load(instance.Path)
	if err == nil {
		err = boot.AdoptFolders(description.Volumes)
	}
	if err != nil {
		g.Fail(err)
		return
	}
	g.Run(description)
}

func listen(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return listener, os.Chmod(path, 0o600)
}

func accept(listener *net.UnixListener, g *guest.Guest) {
	room := make(chan struct{}, mostClients)
	for {
		room <- struct{}{}
		client, err := listener.AcceptUnix()
		if err != nil {
			g.Fail(err)
			return
		}
		go func() {
			defer func() { <-room }()
			defer client.Close()
			_ = channel.Serve(channel.Connection{UnixConn: client}, g.Handle)
		}()
	}
}
