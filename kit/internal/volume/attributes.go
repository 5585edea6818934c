package volume

import (
	"bytes"
	"strings"
	"syscall"
	"unsafe"
)

// mostAttributes is what the kernel gives at most, for names and for a value.
const mostAttributes = 64 << 10

// isCarried tells of an attribute whether it is part of the data; others are the system's own.
func isCarried(name string) bool {
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "trusted.") ||
		strings.HasPrefix(name, "system.posix_acl_") || name == "security.capability"
}

func readAttributes(path string) (map[string][]byte, error) {
	names, err := listAttributes(path)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	attributes := map[string][]byte{}
	for _, name := range names {
		if !isCarried(name) {
			continue
		}
		value, err := getAttribute(path, name)
		if err == syscall.ENODATA {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		attributes[name] = value
	}
	return attributes, nil
}

// writeAttributes makes the attributes of a path these and no others.
func writeAttributes(path string, wanted map[string][]byte) error {
	present, err := listAttributes(path)
	if err != nil {
		return err
	}
	for _, name := range present {
		if _, isWanted := wanted[name]; isCarried(name) && !isWanted {
			if err := call(syscall.SYS_LREMOVEXATTR, path, name, nil); err != nil && err != syscall.ENODATA {
				return err
			}
		}
	}
	for name, value := range wanted {
		if !isCarried(name) {
			continue
		}
		if err := call(syscall.SYS_LSETXATTR, path, name, value); err != nil {
			return err
		}
	}
	return nil
}

// package syscall knows none of the calls that do not follow links

func listAttributes(path string) ([]string, error) {
	buffer := make([]byte, 4<<10)
	for {
		at, err := syscall.BytePtrFromString(path)
		if err != nil {
			return nil, err
		}
		n, _, code := syscall.Syscall(syscall.SYS_LLISTXATTR,
			uintptr(unsafe.Pointer(at)), uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)))
		switch {
		case code == syscall.ERANGE && len(buffer) < mostAttributes:
			buffer = make([]byte, mostAttributes)
		case code == syscall.ENOTSUP:
			return nil, nil
		case code != 0:
			return nil, code
		default:
			var names []string
			for _, name := range bytes.Split(buffer[:n], []byte{0}) {
				if len(name) > 0 {
					names = append(names, string(name))
				}
			}
			return names, nil
		}
	}
}

func getAttribute(path, name string) ([]byte, error) {
	at, err := syscall.BytePtrFromString(path)
	if err != nil {
		return nil, err
	}
	named, err := syscall.BytePtrFromString(name)
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, mostAttributes)
	n, _, code := syscall.Syscall6(syscall.SYS_LGETXATTR, uintptr(unsafe.Pointer(at)),
		uintptr(unsafe.Pointer(named)), uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)), 0, 0)
	if code != 0 {
		return nil, code
	}
	return append([]byte{}, buffer[:n]...), nil
}

func call(number uintptr, path, name string, value []byte) error {
	at, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	named, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	var content unsafe.Pointer
	if len(value) > 0 {
		content = unsafe.Pointer(&value[0])
	}
	_, _, code := syscall.Syscall6(number, uintptr(unsafe.Pointer(at)), uintptr(unsafe.Pointer(named)),
		uintptr(content), uintptr(len(value)), 0, 0)
	if code != 0 {
		return code
	}
	return nil
}
