package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// system is what any program needs to start, as far as a host has it.
var system = []File{
	{Path: "/usr"}, {Path: "/bin"}, {Path: "/sbin"}, {Path: "/lib"}, {Path: "/lib32"}, {Path: "/lib64"}, {Path: "/libx32"},
	{Path: "/etc/ld.so.cache"}, {Path: "/opt"}, {Path: "/nix"},
	{Path: "/dev/null", IsWritable: true}, {Path: "/dev/urandom"},
}

// place is where the new root is put together: no file of a machine lies there.
const place = "/proc"

// enterView makes a root of the system's programs and the given files, and leaves everything else behind.
func enterView(files []File) error {
	// unmounts on the host still reach what this namespace holds; nothing goes the other way
	if err := syscall.Mount("", "/", "", syscall.MS_SLAVE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	const options = "mode=0755,size=1m"
	if err := syscall.Mount("root", place, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	for _, file := range system {
		if err := showSystem(file); err != nil {
			return fmt.Errorf("%s: %w", file.Path, err)
		}
	}
	for _, file := range files {
		if err := show(file); err != nil {
			return fmt.Errorf("%s: %w", file.Path, err)
		}
	}
	if err := syscall.Mount("", place, "", syscall.MS_REMOUNT|syscall.MS_RDONLY|syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if err := syscall.Chdir(place); err != nil {
		return err
	}
	switch err := syscall.PivotRoot(".", "."); {
	case err == nil: // the old root now lies over the new one
		if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
			return err
		}
	case errors.Is(err, syscall.EINVAL): // the root of a chroot cannot be taken away
		if err := syscall.Chroot("."); err != nil {
			return err
		}
	default:
		return fmt.Errorf("root: %w", err)
	}
	return syscall.Chdir("/")
}

// showSystem shows what the host has; a folder that is a link there is one here.
func showSystem(file File) error {
	to, err := os.Readlink(file.Path)
	switch {
	case err == nil:
		return os.Symlink(to, place+file.Path)
	case errors.Is(err, os.ErrNotExist):
		return nil
	default:
		return show(file)
	}
}

// show shows a file under its own path. What is not there the program will tell, better than we could.
func show(file File) error {
	state, err := os.Stat(file.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	target := place + file.Path
	folder := filepath.Dir(target)
	if state.IsDir() {
		folder = target
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if !state.IsDir() {
		// in a folder that is shown already it is there, and must stay as it is
		empty, err := os.OpenFile(target, os.O_CREATE|os.O_RDONLY, 0o644)
		if err != nil {
			return err
		}
		empty.Close()
	}
	if err := syscall.Mount(file.Path, target, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return err
	}
	if file.IsWritable {
		return nil
	}
	flags, err := mountFlags(target)
	if err != nil {
		return err
	}
	return syscall.Mount("", target, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY|flags, "")
}

// mountFlags gives the flags of a mount; in a user namespace none of them may be taken away.
func mountFlags(path string) (uintptr, error) {
	const relatime = 0x1000 // ST_RELATIME of linux/statfs.h, the only one whose number is another here
	var state syscall.Statfs_t
	if err := syscall.Statfs(path, &state); err != nil {
		return 0, err
	}
	const same = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC | syscall.MS_NOATIME | syscall.MS_NODIRATIME
	flags := uintptr(state.Flags) & same
	if state.Flags&relatime != 0 {
		flags |= syscall.MS_RELATIME
	}
	return flags, nil
}
