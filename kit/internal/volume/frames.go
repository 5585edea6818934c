package volume

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// mostPayload bounds a frame: a block with its head, or a piece of a list.
const mostPayload = 512 << 10

// frames is a stream on which each side speaks frames: length of what follows the kind, kind, and that.
type frames struct {
	in  *bufio.Reader
	out *bufio.Writer
}

func newFrames(in io.Reader, out io.Writer) *frames {
	return &frames{bufio.NewReaderSize(in, 2*blockSize), bufio.NewWriterSize(out, 2*blockSize)}
}

// next waits for a frame; what was written goes out before, when nothing has come yet.
func (f *frames) next() (kind byte, payload []byte, err error) {
	if f.in.Buffered() == 0 {
		if err := f.out.Flush(); err != nil {
			return 0, nil, err
		}
	}
	var head [5]byte
	if _, err := io.ReadFull(f.in, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length > mostPayload {
		return 0, nil, errors.New("a frame is too long")
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(f.in, payload)
	return head[4], payload, err
}

func (f *frames) send(kind byte, parts ...[]byte) error {
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	var head [5]byte
	binary.BigEndian.PutUint32(head[:], uint32(length))
	head[4] = kind
	if _, err := f.out.Write(head[:]); err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := f.out.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (f *frames) sendJSON(kind byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return f.send(kind, text)
}

// blockRange is some blocks of one file.
type blockRange struct {
	path  string
	first int64
	count int
}

// ranges calls an act with each range that the host names, until it has named all.
func (f *frames) ranges(act func(blockRange) error) error {
	for {
		kind, payload, err := f.next()
		if err != nil {
			return err
		}
		if kind == 'z' {
			return nil
		}
		if kind != 'r' || len(payload) < 12 {
			return fmt.Errorf("a frame %q is no range", kind)
		}
		one := blockRange{
			path:  string(payload[12:]),
			first: int64(binary.BigEndian.Uint64(payload)),
			count: int(binary.BigEndian.Uint32(payload[8:])),
		}
		if one.first < 0 || one.first > 1<<40 || one.count < 0 || one.count > mostPayload/markSize {
			return errors.New("a range is out of bounds")
		}
		if err := act(one); err != nil {
			return err
		}
	}
}
