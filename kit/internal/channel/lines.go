package channel

import (
	"bytes"
	"errors"
	"io"
)

// longestLine is the most that one message may have.
const longestLine = 1 << 20

var errLineTooLong = errors.New("the line is longer than 1 MiB")

// lines cuts a stream into lines and never holds more than one of bounded length.
type lines struct {
	from    io.Reader
	pending []byte
	isOver  bool // the line that is being read is too long already
}

const readSize = 16 << 10

// next gives a line without its end. After errLineTooLong, the next call goes on behind that line.
func (l *lines) next() ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(l.pending[searched:], '\n'); i >= 0 {
			end := searched + i
			line := append([]byte(nil), l.pending[:end]...)
			l.pending = l.pending[:copy(l.pending, l.pending[end+1:])]
			if l.isOver {
				l.isOver = false
				return nil, errLineTooLong
			}
			return line, nil
		}
		if len(l.pending) >= longestLine {
			l.pending, l.isOver = l.pending[:0], true
		}
		searched = len(l.pending)
		if cap(l.pending)-len(l.pending) < readSize {
			grown := make([]byte, len(l.pending), 2*cap(l.pending)+readSize)
			copy(grown, l.pending)
			l.pending = grown
		}
		n, err := l.from.Read(l.pending[searched : searched+readSize])
		l.pending = l.pending[:searched+n]
		if err != nil && n == 0 {
			return nil, err
		}
	}
}

// reset forgets what was read of an unfinished line, and the memory that a long one took.
func (l *lines) reset() {
	l.pending, l.isOver = nil, false
}
