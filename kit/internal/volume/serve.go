// Package volume lets the host list, read and change what lies in one volume.
package volume

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

type server struct{ frames *frames }

type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Serve answers the host until it is gone or something fails. This process's root becomes the volume.
func Serve(mount string, in io.Reader, out io.Writer) error {
	if err := os.Chdir(mount); err != nil {
		return err
	}
	// no link in the volume leads out of it, whoever changes it meanwhile
	if err := syscall.Chroot("."); err != nil {
		return err
	}
	return (&server{newFrames(in, out)}).run()
}

func (s *server) run() error {
	for {
		kind, payload, err := s.frames.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.act(kind, payload); err != nil {
			_ = s.frames.sendJSON('X', failure{codeOf(err), err.Error()})
			_ = s.frames.out.Flush()
			return err
		}
		if err := s.frames.send('Z'); err != nil {
			return err
		}
	}
}

func (s *server) act(kind byte, payload []byte) error {
	switch kind {
	case 'L':
		return s.list()
	case 'M':
		return s.marks(payload)
	case 'R':
		return s.read(payload)
	case 'A':
		return s.apply(payload)
	}
	return fmt.Errorf("no act is named %q", kind)
}

func codeOf(err error) string {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return "VOLUME_FULL"
		}
	}
	return "VOLUME_UNUSABLE"
}
