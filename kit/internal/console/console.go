// Package console writes what a machine says to its console, line by line, each with the name of who said it.
package console

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
)

// longestLine bounds the memory that a line without an end can take; a longer one is cut into several.
const longestLine = 4096

// Console is shared by everything that runs; one line is never torn by another. Characters are left as they are.
type Console struct {
	mu  sync.Mutex
	out io.Writer
}

// New makes a console that writes to out.
func New(out io.Writer) *Console { return &Console{out: out} }

// Printf writes a line of the supervisor's own.
func (c *Console) Printf(format string, arguments ...any) {
	c.write([]byte("sheaf: " + fmt.Sprintf(format, arguments...) + "\n"))
}

// Pipe gives a file to write to; its lines appear under a name until every holder has closed it.
func (c *Console) Pipe(name string) (*os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		defer reader.Close()
		c.Follow(name, reader)
	}()
	return writer, nil
}

// Follow writes everything that a reader gives, to its end.
func (c *Console) Follow(name string, reader io.Reader) {
	prefix := []byte(name + ": ")
	buffer := make([]byte, 0, longestLine)
	var block bytes.Buffer
	for {
		n, err := reader.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		block.Reset()
		rest := buffer
		for {
			line, after, isWhole := bytes.Cut(rest, []byte("\n"))
			if !isWhole {
				break
			}
			appendLine(&block, prefix, line)
			rest = after
		}
		if len(rest) == cap(buffer) || (err != nil && len(rest) > 0) {
			appendLine(&block, prefix, rest)
			rest = nil
		}
		buffer = buffer[:copy(buffer[:cap(buffer)], rest)]
		if block.Len() > 0 {
			c.write(block.Bytes())
		}
		if err != nil {
			return
		}
	}
}

func appendLine(block *bytes.Buffer, prefix, line []byte) {
	block.Write(prefix)
	block.Write(line)
	block.WriteByte('\n')
}

func (c *Console) write(text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.out.Write(text) // nobody could be told
}
