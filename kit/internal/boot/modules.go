package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

const sysFinitModule = 313 // amd64; package syscall has no name for it

// loadModules loads the kernel modules that a folder holds, in the order of its list, and removes their files:
// the initramfs is memory.
func loadModules(folder string) error {
	list, err := os.ReadFile(filepath.Join(folder, "order"))
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(list)) {
		file := filepath.Join(folder, name)
		if err := loadModule(file); err != nil {
			return fmt.Errorf("module %s: %w", name, err)
		}
		_ = os.Remove(file)
	}
	return nil
}

func loadModule(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	noParameters := []byte{0}
	_, _, code := syscall.Syscall(sysFinitModule, file.Fd(), uintptr(unsafe.Pointer(&noParameters[0])), 0)
	if code != 0 && code != syscall.EEXIST {
		return code
	}
	return nil
}
