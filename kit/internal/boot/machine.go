// Package boot makes a virtual machine ready for its services, from the kernel's first process on, and switches it off.
package boot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sheaf/kit/internal/channel"
	"sheaf/kit/internal/files"
	"sheaf/kit/internal/instance"
	"sheaf/kit/internal/network"
	"sheaf/kit/internal/seed"
)

// Machine is a virtual machine under the kit.
type Machine struct {
	Console *os.File
	Cgroups string
	disks   Disks
	volumes []instance.Volume
}

// Start brings the machine to where it can talk to its host: console, drivers, disks, the image's root.
func Start() (*Machine, error) {
	m := &Machine{Console: os.Stderr}
	if err := mountAll(early); err != nil {
		return m, err
	}
	console, err := openConsole()
	if err != nil {
		return m, err
	}
	m.Console = console
	if err := loadModules(kitFolder + "/modules"); err != nil {
		return m, err
	}
	m.disks = awaitDisks()
	if err := enterRoot(m.disks); err != nil {
		return m, err
	}
	m.Cgroups = cgroups
	applySettings()
	return m, nil
}

// Identity is who the seed says the machine is.
type Identity struct {
	Hostname string
	Address  string
}

// Configure follows the seed: network, names, files, volumes. A machine without a seed stays bare, and answers its host.
func (m *Machine) Configure() (Identity, *instance.Description, error) {
	if m.disks["seed"] == "" {
		return Identity{}, &instance.Description{}, network.Configure(nil)
	}
	s, err := m.readSeed()
	if err != nil {
		return Identity{}, nil, err
	}
	identity := Identity{Hostname: s.Hostname, Address: firstAddress(s)}
	if err := network.Configure(s.Links); err != nil {
		return identity, nil, err
	}
	if err := nameMachine(s.InstanceID, s.Hostname); err != nil {
		return identity, nil, err
	}
	description, err := describe(s.Files)
	if err != nil {
		return identity, nil, err
	}
	m.volumes = description.Volumes
	if err := mountVolumes(m.disks, m.volumes); err != nil {
		return identity, nil, err
	}
	for _, file := range s.Files {
		if _, err := files.Write(file); err != nil {
			return identity, nil, err
		}
	}
	return identity, description, nil
}

func (m *Machine) readSeed() (*seed.Seed, error) {
	disk := place{m.disks["seed"], "/run/seed", "iso9660", syscall.MS_RDONLY | safe | syscall.MS_NOEXEC, "", false}
	if err := disk.mount(); err != nil {
		return nil, err
	}
	s, err := seed.Read(disk.target)
	// The seed holds secrets: nobody in the guest needs it any longer.
	_ = syscall.Unmount(disk.target, 0)
	_ = os.Remove(disk.target)
	return s, err
}

// describe reads the description before it is written, because it says where the volumes belong.
func describe(list []files.File) (*instance.Description, error) {
	for _, file := range list {
		if file.Path == instance.Path {
			text, err := file.Bytes()
			if err != nil {
				return nil, err
			}
			return instance.Parse(text)
		}
	}
	return nil, errors.New("the seed has no " + instance.Path)
}

func firstAddress(s *seed.Seed) string {
	for _, link := range s.Links {
		for _, address := range link.Addresses {
			ip, _, _ := strings.Cut(address, "/")
			return ip
		}
	}
	return ""
}

// Ports opens the channels to the host.
func Ports() ([]*channel.Port, error) {
	names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return nil, err
	}
	var ports []*channel.Port
	for _, file := range names {
		name, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(name), "org.sheaf.") {
			continue
		}
		port, err := channel.OpenPort("/dev/" + filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// PowerOff ends what still runs, writes everything to the disks and switches the machine off.
func (m *Machine) PowerOff() {
	_ = syscall.Kill(-1, syscall.SIGKILL)
	for i := 0; i < 100 && hasOthers(); i++ {
		time.Sleep(5 * time.Millisecond)
	}
	unmountVolumes(m.volumes)
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

// hasOthers tells whether a process of user space beside this one is left; kernel threads have no command line.
func hasOthers() bool {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range lines {
		text, err := os.ReadFile(file)
		if err == nil && len(text) > 0 && file != "/proc/1/cmdline" {
			return true
		}
	}
	return false
}
