package volume

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"syscall"
)

// reader reads blocks; the file that was read last stays open.
type reader struct {
	path   string
	opened *os.File
	buffer [blockSize]byte
}

func (r *reader) close() {
	if r.opened != nil {
		r.opened.Close()
		r.opened = nil
	}
}

// open opens a file. @returns nil when there is none
func (r *reader) open(path string) (*os.File, error) {
	if r.opened != nil && r.path == path {
		return r.opened, nil
	}
	r.close()
	opened, err := os.OpenFile(inVolume(path), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENXIO) {
		return nil, nil
	}
	if err != nil {
		return nil, unlessGone(err)
	}
	state, err := opened.Stat()
	if err != nil || !state.Mode().IsRegular() {
		opened.Close()
		return nil, err
	}
	r.path, r.opened = path, opened
	return opened, nil
}

// blocks calls an act with each block of a range up to the file's end. Holes are not read.
func (r *reader) blocks(one blockRange, act func(block []byte) error) error {
	opened, err := r.open(one.path)
	if opened == nil {
		return err
	}
	size, err := opened.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	hole := int64(-1) // where data begin again behind the hole that was found last
	for i := int64(0); i < int64(one.count); i++ {
		at := (one.first + i) * blockSize
		if at >= size {
			return nil
		}
		length := size - at
		if length > blockSize {
			length = blockSize
		}
		block := r.buffer[:length]
		if hole < at {
			hole = dataBehind(opened, at, size)
		}
		if hole >= at+length {
			for j := range block {
				block[j] = 0
			}
		} else if n, err := opened.ReadAt(block, at); err == io.EOF {
			block = block[:n] // it has become shorter
			if n == 0 {
				return nil
			}
		} else if err != nil {
			return err
		}
		if err := act(block); err != nil {
			return err
		}
	}
	return nil
}

const seekData = 3

func dataBehind(opened *os.File, at, size int64) int64 {
	found, err := opened.Seek(at, seekData)
	switch {
	case errors.Is(err, syscall.ENXIO):
		return size // a hole to the end
	case err != nil:
		return at
	}
	return found
}

func (s *server) marks(key []byte) error {
	m := newMarker(key)
	r := &reader{}
	defer r.close()
	return s.frames.ranges(func(one blockRange) error {
		marks := make([]byte, 0, one.count*markSize)
		err := r.blocks(one, func(block []byte) error {
			marks = append(marks, markOrNone(m, block)...)
			return nil
		})
		if err != nil {
			return err
		}
		return s.frames.send('m', marks)
	})
}

func (s *server) read(key []byte) error {
	m := newMarker(key)
	r := &reader{}
	defer r.close()
	return s.frames.ranges(func(one blockRange) error {
		err := r.blocks(one, func(block []byte) error {
			mark := markOrNone(m, block)
			var size [4]byte
			binary.BigEndian.PutUint32(size[:], uint32(len(block)))
			if isNone(mark) {
				block = nil
			}
			return s.frames.send('b', size[:], mark, block)
		})
		if err != nil {
			return err
		}
		return s.frames.send('e')
	})
}

// markOrNone gives a block's mark; all zeros stand for a block of zeros.
func markOrNone(m *marker, block []byte) []byte {
	mark, isZero := m.mark(block)
	if isZero {
		mark = [markSize]byte{}
	}
	return mark[:]
}

func isNone(mark []byte) bool {
	for _, b := range mark {
		if b != 0 {
			return false
		}
	}
	return true
}
