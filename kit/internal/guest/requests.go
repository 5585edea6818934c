package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"sheaf/kit/internal/channel"
	"sheaf/kit/internal/command"
	"sheaf/kit/internal/files"
)

const (
	longestRead      = 512 << 10
	defaultStopLimit = 60 * time.Second
)

// Handle answers one request of the host.
func (g *Guest) Handle(session *channel.Session, request channel.Request) {
	switch request.Op {
	case "status":
		session.Answer(request, g.Status())
	case "exec":
		command.Run(g.table, session, request)
	case "read":
		answer(session, request, readPart)
	case "write":
		answer(session, request, writeFile)
	case "apply":
		answer(session, request, g.applyFiles)
	case "quiesce":
		answer(session, request, g.quiesce)
	case "resume":
		answer(session, request, g.resume)
	case "stop":
		g.requestStop(session, request)
	default:
		session.Fail(request, "OP_UNKNOWN", fmt.Errorf("no op is named %q", request.Op))
	}
}

// answer reads the members of a request, acts, and sends what came of it.
func answer[Members, Answer any](
	session *channel.Session, request channel.Request, act func(Members) (Answer, error),
) {
	var members Members
	if err := json.Unmarshal(request.Line, &members); err != nil {
		session.Fail(request, "REQUEST_WRONG", err)
		return
	}
	result, err := act(members)
	switch {
	case errors.Is(err, os.ErrNotExist):
		session.Fail(request, "FILE_MISSING", err)
	case errors.Is(err, syscall.ENOSPC):
		session.Fail(request, "DISK_FULL", err)
	case err != nil:
		session.Fail(request, "REQUEST_FAILED", err)
	default:
		session.Answer(request, result)
	}
}

type readRequest struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	Length int    `json:"length"`
}

type readAnswer struct {
	Content []byte `json:"content"`
	Size    int64  `json:"size"`
}

func readPart(r readRequest) (readAnswer, error) {
	if r.Length < 0 || r.Length > longestRead || r.Offset < 0 {
		return readAnswer{}, fmt.Errorf("length %d at %d", r.Length, r.Offset)
	}
	// Not blocking, or a pipe without a writer would hold us for ever.
	file, err := os.OpenFile(r.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return readAnswer{}, err
	}
	defer file.Close()
	state, err := file.Stat()
	if err != nil {
		return readAnswer{}, err
	}
	if !state.Mode().IsRegular() {
		return readAnswer{}, fmt.Errorf("%s is not a file", r.Path)
	}
	content := make([]byte, r.Length)
	n, err := file.ReadAt(content, r.Offset)
	if err != nil && err != io.EOF {
		return readAnswer{}, err
	}
	return readAnswer{content[:n], state.Size()}, nil
}

type writeRequest struct {
	Path    string `json:"path"`
	Content string `json:"content"`
	Mode    string `json:"mode"`
	Owner   string `json:"owner"`
}

type nothing struct{}

func writeFile(r writeRequest) (nothing, error) {
	_, err := files.Write(files.File{
		Path: r.Path, Content: r.Content, Encoding: "b64", Permissions: r.Mode, Owner: r.Owner,
	})
	return nothing{}, err
}

type applyRequest struct {
	Files []files.File `json:"files"`
}

type applyAnswer struct {
	Changed []string `json:"changed"`
}

func (g *Guest) applyFiles(r applyRequest) (applyAnswer, error) {
	changed, err := g.Apply(r.Files)
	return applyAnswer{changed}, err
}

type stopRequest struct {
	TimeoutMs int64 `json:"timeoutMs"`
}

// requestStop answers before it begins: there may be nothing left to answer from afterwards.
func (g *Guest) requestStop(session *channel.Session, request channel.Request) {
	var r stopRequest
	if err := json.Unmarshal(request.Line, &r); err != nil {
		session.Fail(request, "REQUEST_WRONG", err)
		return
	}
	limit := defaultStopLimit
	if r.TimeoutMs > 0 {
		limit = time.Duration(r.TimeoutMs) * time.Millisecond
	}
	session.Answer(request, nothing{})
	g.Stop(limit)
}
