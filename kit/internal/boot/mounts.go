package boot

import (
	"fmt"
	"os"
	"syscall"
)

// place is one mount.
type place struct {
	source, target, kind string
	flags                uintptr
	options              string
	// isOptional: a kernel without it still runs the image.
	isOptional bool
}

const safe = syscall.MS_NOSUID | syscall.MS_NODEV

// early is what the boot itself needs, in the initramfs.
var early = []place{
	{"proc", "/proc", "proc", safe | syscall.MS_NOEXEC, "", false},
	{"sysfs", "/sys", "sysfs", safe | syscall.MS_NOEXEC, "", false},
	{"devtmpfs", "/dev", "devtmpfs", syscall.MS_NOSUID, "mode=755", false},
}

// late is what programs expect, below the image's root. A folder stands before those inside it.
var late = []place{
	{"proc", "/proc", "proc", safe | syscall.MS_NOEXEC, "", false},
	{"sysfs", "/sys", "sysfs", safe | syscall.MS_NOEXEC, "", false},
	{"cgroup2", cgroups, "cgroup2", safe | syscall.MS_NOEXEC, "favordynmods", true},
	{"devtmpfs", "/dev", "devtmpfs", syscall.MS_NOSUID, "mode=755", false},
	{"devpts", "/dev/pts", "devpts", syscall.MS_NOSUID | syscall.MS_NOEXEC, "mode=620,gid=5,ptmxmode=666", true},
	{"tmpfs", "/dev/shm", "tmpfs", safe, "mode=1777", false},
	{"tmpfs", "/run", "tmpfs", safe, "mode=755", false},
	{"tmpfs", "/tmp", "tmpfs", safe, "mode=1777", false},
}

const cgroups = "/sys/fs/cgroup"

func mountAll(places []place) error {
	for _, p := range places {
		if err := p.mount(); err != nil && !p.isOptional {
			return err
		}
	}
	return nil
}

func (p place) mount() error {
	if err := os.MkdirAll(p.target, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(p.source, p.target, p.kind, p.flags, p.options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", p.source, p.target, err)
	}
	return nil
}
