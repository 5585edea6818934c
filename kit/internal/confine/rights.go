package confine

import (
	"fmt"
	"syscall"
)

// From linux/capability.h, linux/prctl.h and asm-generic/resource.h.
const (
	capDacOverride = 1
	capSetgid      = 6
	capSetuid      = 7
	capSysChroot   = 18

	prCapbsetDrop   = 24
	prSetNoNewPrivs = 38

	rlimitNproc    = 6
	rlimitMemlock  = 8
	rlimitMsgqueue = 12
)

// kept is what QEMU uses until it becomes another user: to open its files, to lock itself into a folder, to change its ids.
var kept = map[uintptr]bool{capDacOverride: true, capSetgid: true, capSetuid: true, capSysChroot: true}

// giveUp limits what the program that is executed next can use and become.
func giveUp(m Machine) error {
	syscall.Umask(0o077) // its sockets are its owner's alone from the first moment
	if err := syscall.Sethostname([]byte("machine")); err != nil {
		return err
	}
	limits := map[int]uint64{
		syscall.RLIMIT_CORE:   0, // a dump would hold the guest's memory
		syscall.RLIMIT_NOFILE: 1024,
		rlimitMemlock:         0,
		rlimitMsgqueue:        0,
	}
	if m.FileBytes > 0 {
		limits[syscall.RLIMIT_FSIZE] = m.FileBytes
	}
	if m.Threads > 0 {
		limits[rlimitNproc] = m.Threads
	}
	for kind, most := range limits {
		if err := syscall.Setrlimit(kind, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("limit %d: %w", kind, err)
		}
	}
	for capability := uintptr(0); ; capability++ {
		if m.User != 0 && kept[capability] {
			continue
		}
		_, _, code := syscall.RawSyscall(syscall.SYS_PRCTL, prCapbsetDrop, capability, 0)
		if code == syscall.EINVAL {
			break // the kernel knows no more
		}
		if code != 0 {
			return fmt.Errorf("capability %d: %w", capability, code)
		}
	}
	return Lock()
}

// Lock keeps this program, in all its threads, and what it starts from ever getting more rights than it has.
func Lock() error {
	if _, _, code := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); code != 0 {
		return code
	}
	return nil
}

// Become makes this program another user for good, without groups and rights. With 0 it stays who it is.
func Become(user int) error {
	if err := Lock(); err != nil || user == 0 {
		return err
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setresgid(user, user, user); err != nil {
		return err
	}
	return syscall.Setresuid(user, user, user)
}
