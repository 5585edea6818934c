// Package logfile keeps a growing log within bounds.
package logfile

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Log is a file that is set aside when it has reached a size: FILE becomes FILE.1, that becomes FILE.2, and so on.
type Log struct {
	path string
	size int64
	keep int

	file    *os.File
	written int64
	dropped int64
}

// New makes a log. size is in bytes; keep is how many files are set aside, at least 1.
func New(path string, size int64, keep int) *Log {
	return &Log{path: path, size: size, keep: keep}
}

// CopyFrom writes everything that comes, to its end. What cannot be written is dropped and counted, and the count is
// written as soon as that is possible: the writer at the other end must never be held up by our disk. The file's time of
// change is that of the end.
func (l *Log) CopyFrom(from io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			l.write(buffer[:n])
		}
		if err != nil {
			l.close()
			now := time.Now()
			_ = os.Chtimes(l.path, now, now)
			return
		}
	}
}

func (l *Log) write(text []byte) {
	if l.file == nil && !l.open() {
		l.dropped += int64(len(text))
		return
	}
	if l.written > 0 && l.written+int64(len(text)) > l.size {
		l.rotate()
		if !l.open() {
			l.dropped += int64(len(text))
			return
		}
	}
	if l.dropped > 0 {
		note := fmt.Sprintf("\nsheaf: %d bytes of the log were dropped here, the disk was full\n", l.dropped)
		if l.append([]byte(note)) < len(note) {
			l.dropped += int64(len(text))
			return
		}
		l.dropped = 0
	}
	l.dropped += int64(len(text) - l.append(text))
}

// append writes what finds room. @returns how much that was
func (l *Log) append(text []byte) int {
	n, _ := l.file.Write(text)
	l.written += int64(n)
	return n
}

func (l *Log) open() bool {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o660) // the umask leaves it to its owner alone, or to a group
	if err != nil {
		return false
	}
	state, err := file.Stat()
	if err != nil {
		file.Close()
		return false
	}
	l.file, l.written = file, state.Size()
	return true
}

// rotate sets the file aside. If that fails the log goes on in the same file, which is better than none.
func (l *Log) rotate() {
	l.close()
	for i := l.keep; i > 1; i-- {
		_ = os.Rename(l.numbered(i-1), l.numbered(i))
	}
	if os.Rename(l.path, l.numbered(1)) != nil {
		_ = os.Truncate(l.path, 0)
	}
}

func (l *Log) numbered(i int) string { return fmt.Sprintf("%s.%d", l.path, i) }

func (l *Log) close() {
	if l.file != nil {
		l.file.Close()
		l.file, l.written = nil, 0
	}
}
