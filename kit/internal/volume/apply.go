package volume

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// change is what a frame c says.
type change struct {
	Kind  string `json:"kind"`
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	Index int64  `json:"index"`
	Count int64  `json:"count"`
	Entry *entry `json:"entry"`
}

var errOtherBytes = errors.New("a block has other bytes than its mark says")

// apply carries changes out as they come, and brings everything to the disk.
func (s *server) apply(key []byte) error {
	w := &writer{marker: newMarker(key)}
	defer w.close()
	for {
		kind, payload, err := s.frames.next()
		if err != nil {
			return err
		}
		switch kind {
		case 'z':
			return w.settleAll()
		case 'c':
			var c change
			if err := json.Unmarshal(payload, &c); err != nil {
				return err
			}
			err = w.change(c)
		case 'w':
			err = w.write(payload)
		default:
			err = fmt.Errorf("a frame %q is no change", kind)
		}
		if err != nil {
			return err
		}
	}
}

// writer changes a volume; writes go into the file that was opened last.
type writer struct {
	marker *marker
	opened *os.File
	size   int64
}

func (w *writer) close() {
	if w.opened != nil {
		w.opened.Close()
		w.opened = nil
	}
}

func (w *writer) settleAll() error {
	w.close()
	top, err := os.Open(".")
	if err != nil {
		return err
	}
	defer top.Close()
	const sysSyncfs = 306 // amd64; package syscall has no name for it
	if _, _, code := syscall.Syscall(sysSyncfs, top.Fd(), 0, 0); code != 0 {
		return code
	}
	return nil
}

func (w *writer) change(c change) error {
	if c.Kind == "clear" {
		return w.clear(c.Index, c.Count)
	}
	text := c.Path
	if c.Entry != nil {
		text = c.Entry.Path
	}
	path, err := pathOf(text)
	if err != nil {
		return err
	}
	switch {
	case c.Kind == "remove" && path != "":
		return os.RemoveAll(inVolume(path))
	case c.Kind == "open" && path != "":
		return w.open(path, c.Size)
	case c.Kind == "make" && c.Entry != nil && path != "":
		return makeEntry(path, *c.Entry)
	case c.Kind == "settle" && c.Entry != nil:
		return settleEntry(path, *c.Entry)
	}
	return fmt.Errorf("no change is named %q", c.Kind)
}

func (w *writer) open(path string, size int64) error {
	w.close()
	opened, err := os.OpenFile(inVolume(path), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	w.opened, w.size = opened, size
	state, err := opened.Stat()
	if err != nil {
		return err
	}
	if !state.Mode().IsRegular() {
		return fmt.Errorf("%q is no file", path)
	}
	return opened.Truncate(size)
}

func (w *writer) write(payload []byte) error {
	if len(payload) < 8+markSize || w.opened == nil {
		return errors.New("a block comes without a file")
	}
	index, mark, block := int64(binary.BigEndian.Uint64(payload)), payload[8:8+markSize], payload[8+markSize:]
	at := index * blockSize
	if index < 0 || index > 1<<40 || len(block) > blockSize || at+int64(len(block)) > w.size {
		return errors.New("a block is out of bounds")
	}
	if !bytes.Equal(markOrNone(w.marker, block), mark) {
		return errOtherBytes
	}
	_, err := w.opened.WriteAt(block, at)
	return err
}

func (w *writer) clear(index, count int64) error {
	if w.opened == nil || index < 0 || index > 1<<40 || count < 0 || count > 1<<40 {
		return errors.New("a hole is out of bounds")
	}
	from, length := index*blockSize, count*blockSize
	if length > w.size-from {
		length = w.size - from
	}
	if length <= 0 {
		return nil
	}
	const keepSizePunchHole = 1 | 2
	return syscall.Fallocate(int(w.opened.Fd()), keepSizePunchHole, from, length)
}

// makeEntry makes something where nothing is; it may be there already.
func makeEntry(path string, e entry) error {
	at := inVolume(path)
	if e.Kind == folder {
		err := os.Mkdir(at, 0o700)
		if state, failure := os.Lstat(at); failure == nil && state.IsDir() {
			return nil
		}
		return err
	}
	if err := syscall.Unlink(at); err != nil && err != syscall.ENOENT {
		return err
	}
	if e.LinkTo != nil {
		first, err := pathOf(*e.LinkTo)
		if err != nil {
			return err
		}
		return os.Link(inVolume(first), at)
	}
	switch {
	case e.Kind == symlink && e.Target != nil:
		target, err := bytesOf(*e.Target)
		if err != nil {
			return err
		}
		return os.Symlink(target, at)
	case e.Kind == fifo:
		return syscall.Mkfifo(at, 0o600)
	}
	return fmt.Errorf("an entry cannot be made as %q", e.Kind)
}

// settleEntry gives a path its owner, mode, attributes and time. The order matters: a new owner takes rights away.
func settleEntry(path string, e entry) error {
	at := inVolume(path)
	if err := os.Lchown(at, int(e.UID), int(e.GID)); err != nil {
		return err
	}
	if e.Kind != symlink {
		if err := syscall.Chmod(at, e.Mode&0o7777); err != nil {
			return err
		}
	}
	if err := writeAttributes(at, e.Attributes); err != nil {
		return err
	}
	modified, err := strconv.ParseInt(e.Mtime, 10, 64)
	if err != nil {
		return err
	}
	return setTime(at, modified)
}

func setTime(path string, nanoseconds int64) error {
	const (
		atCurrent         = -100
		doNotFollow       = 0x100
		leave             = 1<<30 - 2
		perSecond   int64 = 1e9
	)
	at, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	seconds, rest := nanoseconds/perSecond, nanoseconds%perSecond
	if rest < 0 {
		seconds, rest = seconds-1, rest+perSecond
	}
	times := [2]syscall.Timespec{{Nsec: leave}, {Sec: seconds, Nsec: rest}}
	current := atCurrent
	_, _, code := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(current), uintptr(unsafe.Pointer(at)),
		uintptr(unsafe.Pointer(&times[0])), doNotFollow, 0, 0)
	if code != 0 {
		return code
	}
	return nil
}
