package main

import (
	"sheaf/kit/internal/boot"
	"sheaf/kit/internal/channel"
	"sheaf/kit/internal/guest"
)

// runMachine is the life of a virtual machine. It does not return: the machine is switched off.
//
// The channel is open before anything is configured, so that the host can be told what went wrong.
func runMachine() {
	machine, startError := boot.Start()
	g := begin(machine.Cgroups, machine.Console)
	g.SetFreezer(boot.Freeze, boot.Thaw)
	ports, portError := boot.Ports()
	for _, port := range ports {
		go serve(port, g)
	}
	if portError != nil {
		g.Fail(portError)
	}
	if startError != nil {
		g.Fail(startError)
	} else {
		go configure(machine, g)
	}
	<-g.Over()
	machine.PowerOff()
}

func configure(machine *boot.Machine, g *guest.Guest) {
	identity, description, err := machine.Configure()
	g.SetIdentity(identity.Hostname, identity.Address)
	if err != nil {
		g.Fail(err)
		return
	}
	g.Run(description)
}

func serve(port *channel.Port, g *guest.Guest) {
	if err := channel.ServeStreams(port, g.Handle, g.Carry); err != nil {
		g.Fail(err)
	}
}
