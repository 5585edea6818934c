package volume

import (
	"errors"
	"os"
	"sort"
	"syscall"
)

// list sends everything in the volume, each folder before what is in it, names in the order of their bytes.
func (s *server) list() error {
	w := &walk{to: s.frames, linked: map[uint64]string{}}
	if err := w.visit(""); err != nil {
		return err
	}
	return w.flush()
}

const (
	// piece is how much of a list goes into one frame.
	piece = 256
	// mostLinked bounds how many files with several names are remembered; the kernel bounds depth by a path's length.
	mostLinked = 1 << 20
)

type walk struct {
	to     *frames
	ready  []entry
	linked map[uint64]string
}

func (w *walk) visit(path string) error {
	var state syscall.Stat_t
	if err := syscall.Lstat(inVolume(path), &state); err != nil {
		return unlessGone(err)
	}
	e, err := describe(path, &state)
	if err != nil || e.Kind == "" {
		return unlessGone(err)
	}
	if e.Kind != folder && state.Nlink > 1 {
		if first, isKnown := w.linked[state.Ino]; isKnown {
			text := characters(first)
			e.LinkTo = &text
		} else if len(w.linked) == mostLinked {
			return errors.New("too many files have several names")
		} else {
			w.linked[state.Ino] = path
		}
	}
	if err := w.add(e); err != nil || e.Kind != folder {
		return err
	}
	names, err := namesIn(path)
	if err != nil {
		return unlessGone(err)
	}
	for _, name := range names {
		if path == "" && name == "lost+found" { // the file system's own
			continue
		}
		below := name
		if path != "" {
			below = path + "/" + name
		}
		if err := w.visit(below); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) add(e entry) error {
	w.ready = append(w.ready, e)
	if len(w.ready) < piece {
		return nil
	}
	return w.flush()
}

func (w *walk) flush() error {
	for len(w.ready) > 0 {
		some := w.ready
		if len(some) > 1 && weight(some) > mostPayload/8 {
			some = some[:1] // attributes and paths can be long
		}
		if err := w.to.sendJSON('E', some); err != nil {
			return err
		}
		w.ready = w.ready[len(some):]
	}
	w.ready = nil
	return nil
}

// weight is about how long the texts of entries are.
func weight(entries []entry) int {
	sum := 0
	for _, e := range entries {
		sum += 200 + len(e.Path)
		if e.Target != nil {
			sum += len(*e.Target)
		}
		for name, value := range e.Attributes {
			sum += len(name) + 2*len(value)
		}
	}
	return sum
}

func namesIn(path string) ([]string, error) {
	opened, err := os.Open(inVolume(path))
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	names, err := opened.Readdirnames(-1)
	sort.Strings(names)
	return names, err
}

// unlessGone passes over what somebody has taken away while we walked.
func unlessGone(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}
