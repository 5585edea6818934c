package boot

import (
	"os"
	"syscall"
)

// From linux/fs.h: _IOWR('X', 119, int) and _IOWR('X', 120, int).
const (
	freezeRequest = 0xC0045877
	thawRequest   = 0xC0045878
)

// Freeze writes everything of a mounted volume to its disk and holds up whoever writes to it from then on.
func Freeze(mount string) error { return control(mount, freezeRequest) }

// Thaw lets those who write to a frozen volume go on.
func Thaw(mount string) error { return control(mount, thawRequest) }

func control(mount string, request uintptr) error {
	folder, err := os.Open(mount)
	if err != nil {
		return err
	}
	defer folder.Close()
	if _, _, code := syscall.Syscall(syscall.SYS_IOCTL, folder.Fd(), request, 0); code != 0 {
		return code
	}
	return nil
}
