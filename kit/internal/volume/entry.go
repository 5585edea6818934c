package volume

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// The kinds of entry; others are left out.
const (
	folder  = "folder"
	file    = "file"
	symlink = "symlink"
	fifo    = "fifo"
)

// entry is one thing in a volume. In paths and targets each character stands for one byte.
type entry struct {
	Path       string            `json:"path"`
	Kind       string            `json:"kind"`
	Mode       uint32            `json:"mode"`
	UID        uint32            `json:"uid"`
	GID        uint32            `json:"gid"`
	Mtime      string            `json:"mtime"`
	Size       int64             `json:"size"`
	Target     *string           `json:"target,omitempty"`
	LinkTo     *string           `json:"linkTo,omitempty"`
	Attributes map[string][]byte `json:"attributes,omitempty"`
	Ctime      string            `json:"ctime,omitempty"`
	Inode      string            `json:"inode,omitempty"`
}

// describe tells what lies at a path; "" as kind when that is left out.
func describe(path string, state *syscall.Stat_t) (entry, error) {
	e := entry{
		Path:  characters(path),
		Mode:  state.Mode & 0o7777,
		UID:   state.Uid,
		GID:   state.Gid,
		Mtime: nanoseconds(state.Mtim),
		Ctime: nanoseconds(state.Ctim),
		Inode: strconv.FormatUint(state.Ino, 10),
	}
	switch state.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		e.Kind = folder
	case syscall.S_IFREG:
		e.Kind, e.Size = file, state.Size
	case syscall.S_IFLNK:
		target, err := os.Readlink(inVolume(path))
		if err != nil {
			return entry{}, err
		}
		text := characters(target)
		e.Kind, e.Target = symlink, &text
	case syscall.S_IFIFO:
		e.Kind = fifo
	default:
		return entry{}, nil
	}
	attributes, err := readAttributes(inVolume(path))
	e.Attributes = attributes
	return e, err
}

// inVolume is what the system is asked for; this process stands in the volume's top folder.
func inVolume(path string) string {
	if path == "" {
		return "."
	}
	return "./" + path
}

func nanoseconds(t syscall.Timespec) string { return strconv.FormatInt(t.Nano(), 10) }

// characters writes bytes as a text of as many characters.
func characters(bytes string) string {
	var text strings.Builder
	for i := 0; i < len(bytes); i++ {
		text.WriteRune(rune(bytes[i]))
	}
	return text.String()
}

// bytesOf is the reverse of characters.
func bytesOf(text string) (string, error) {
	bytes := make([]byte, 0, len(text))
	for _, character := range text {
		if character > 0xff || character == 0 {
			return "", fmt.Errorf("a name has a character that is no byte")
		}
		bytes = append(bytes, byte(character))
	}
	return string(bytes), nil
}

// pathOf gives the bytes of a path that stays in the volume.
func pathOf(text string) (string, error) {
	path, err := bytesOf(text)
	if err != nil || path == "" {
		return path, err
	}
	for _, name := range strings.Split(path, "/") {
		if name == "" || name == "." || name == ".." {
			return "", fmt.Errorf("%q is no path in a volume", path)
		}
	}
	return path, nil
}
