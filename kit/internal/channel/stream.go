package channel

import (
	"errors"
	"io"
	"os"
	"time"
)

// Stream is a session's transport as plain bytes.
type Stream struct {
	transport Transport
	pending   []byte
}

const pumpSize = 128 << 10

// Pump carries what the host sends to a pipe, and what comes out of another one to the host, until the host is gone, or
// sends something that nobody reads any more. When nothing more comes out, the host is told by last.
func (s *Stream) Pump(in *os.File, out io.Reader, last []byte) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, pumpSize)
		_, _ = io.CopyBuffer(writerOnly{s.transport}, out, buffer)
		_, _ = s.transport.Write(last)
	}()
	s.feed(in)
	in.Close()
	_ = s.transport.SetWriteDeadline(time.Unix(1, 0)) // frees whoever writes to a host that does not read
	<-done
	_ = s.transport.SetWriteDeadline(time.Time{})
}

// feed returns when the host is gone, or who reads the pipe: then another host may have come unnoticed, whose greeting was
// taken for a frame, and which greets again.
func (s *Stream) feed(in *os.File) {
	buffer := make([]byte, pumpSize)
	for bytes := s.pending; ; {
		for len(bytes) > 0 {
			// meanwhile nobody reads, so it looks whether the host is still there
			_ = in.SetWriteDeadline(time.Now().Add(roomCheck))
			n, err := in.Write(bytes)
			bytes = bytes[n:]
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				if s.transport.IsHostGone() {
					return
				}
			case err != nil:
				return
			}
		}
		n, err := s.transport.Read(buffer)
		if err != nil {
			return
		}
		bytes = buffer[:n]
	}
}

// writerOnly hides what else a transport can, so that a copy uses the buffer that it is given.
type writerOnly struct{ io.Writer }
