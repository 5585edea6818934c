package boot

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const (
	kitFolder = "/sheaf" // of the initramfs
	newRoot   = "/root"  // the kernel's own initramfs brings the folder
	work      = "/work"
)

// enterRoot joins the layers under a memory file system and makes the result this process's root. The kit's
// programs stay in reach as /run/sheaf.
func enterRoot(disks Disks) error {
	if err := mountRoot(disks.layers()); err != nil {
		return err
	}
	kit, err := os.Open(kitFolder)
	if err != nil {
		return err
	}
	defer kit.Close()
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	// The initramfs cannot be left by pivot_root (Documentation/filesystems/ramfs-rootfs-initramfs.rst).
	if err := syscall.Mount(newRoot, "/", "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move to the new root: %w", err)
	}
	// Kernel threads share this process's root, so modprobe is looked for in the new one, too.
	if err := syscall.Chroot("."); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	// From here on the image's own links lead nowhere but into itself.
	if err := mountAll(late); err != nil {
		return err
	}
	if err := linkOutputs(); err != nil {
		return err
	}
	bind := place{"/proc/self/fd/" + strconv.Itoa(int(kit.Fd())), "/run/sheaf", "", syscall.MS_BIND, "", false}
	if err := bind.mount(); err != nil {
		return err
	}
	if modules := disks["modules"]; modules != "" {
		return place{modules, "/lib/modules", "squashfs", syscall.MS_RDONLY | safe, "", false}.mount()
	}
	return nil
}

// linkOutputs gives programs the names under which they look for what they have opened; images log to /dev/stdout.
func linkOutputs() error {
	for name, target := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0",
		"/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, name); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

func mountRoot(layers []string) error {
	upper := place{"tmpfs", work, "tmpfs", syscall.MS_NODEV, "mode=755", false}
	if len(layers) == 0 {
		upper.target = newRoot
		return upper.mount()
	}
	if err := upper.mount(); err != nil {
		return err
	}
	for _, folder := range []string{work + "/upper", work + "/work"} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
	}
	var lower []string
	for i, device := range layers {
		folder := work + "/layer" + strconv.Itoa(i)
		layer := place{device, folder, "squashfs", syscall.MS_RDONLY | syscall.MS_NODEV, "", false}
		if err := layer.mount(); err != nil {
			return err
		}
		lower = append(lower, folder)
	}
	options := "lowerdir=" + strings.Join(lower, ":") + ",upperdir=" + work + "/upper,workdir=" + work + "/work"
	return place{"overlay", newRoot, "overlay", syscall.MS_NODEV, options, false}.mount()
}
