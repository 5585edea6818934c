package boot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"sheaf/kit/internal/files"
)

// settings of the kernel; what one kernel does not know is passed over.
var settings = []struct{ path, value string }{
	{"/proc/sys/net/ipv6/conf/all/disable_ipv6", "1"}, // wires are IPv4; nothing may pass beside them
	{"/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"},
	// A machine is one instance: a port below 1024 says nothing about who serves it. Container engines do the same.
	{"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"},
	{"/proc/sys/kernel/modprobe", "/run/sheaf/bin/modprobe"},
	{"/proc/sys/kernel/panic", "1"},
	{"/proc/sys/kernel/printk", "4"}, // the console is the instance's log, and slow
}

func applySettings() {
	for _, s := range settings {
		_ = os.WriteFile(s.path, []byte(s.value), 0)
	}
	// What systemd gives: programs that use select() break with a higher soft limit, those that need more raise it.
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1024, Max: 524288})
}

// nameMachine gives the machine its host name, and an id that follows from its instance id: a clone has another one.
func nameMachine(instanceID, hostname string) error {
	if hostname != "" {
		if err := syscall.Sethostname([]byte(hostname)); err != nil {
			return fmt.Errorf("host name %s: %w", hostname, err)
		}
	}
	id := sha256.Sum256([]byte(instanceID))
	for _, file := range []files.File{
		{Path: "/etc/hostname", Content: hostname + "\n", Permissions: "0644"},
		{Path: "/etc/machine-id", Content: hex.EncodeToString(id[:16]) + "\n", Permissions: "0444"},
	} {
		if _, err := files.Write(file); err != nil {
			return err
		}
	}
	return nil
}

// openConsole gives the console, told to leave line ends as they are.
func openConsole() (*os.File, error) {
	file, err := os.OpenFile("/dev/console", os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	var mode syscall.Termios
	_, _, code := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&mode)))
	if code == 0 {
		mode.Oflag &^= syscall.OPOST
		_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), syscall.TCSETS, uintptr(unsafe.Pointer(&mode)))
	}
	return file, nil
}
