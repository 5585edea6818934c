package channel

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// Request is one message of the host.
type Request struct {
	ID json.RawMessage
	Op string
	// Line is the whole message, for the members that belong to the op.
	Line []byte
	// Inputs is what the host sends to this request.
	Inputs *Inputs
}

// mostRequests bounds what one session may have in work.
const mostRequests = 16

// Session is what is said from one synchronisation to the next.
type Session struct {
	// Context ends with the session.
	Context   context.Context
	cancel    context.CancelFunc
	transport Transport

	writing sync.Mutex
	work    sync.WaitGroup

	mu sync.Mutex
	// requests in work, by id
	requests map[string]*Inputs
}

func open(transport Transport) *Session {
	ctx, cancel := context.WithCancel(context.Background())
	return &Session{
		Context:   ctx,
		cancel:    cancel,
		transport: transport,
		requests:  map[string]*Inputs{},
	}
}

// end forgets the session; everything that it was doing has stopped when it returns.
func (s *Session) end() {
	if s == nil {
		return
	}
	s.cancel()
	_ = s.transport.SetWriteDeadline(time.Unix(1, 0)) // frees whoever writes to a host that does not read
	s.work.Wait()
	_ = s.transport.SetWriteDeadline(time.Time{})
}

// start works on a request beside the reading of further ones. @returns false when the host is gone
func (s *Session) start(request Request, handle func(*Session, Request)) bool {
	request.Inputs = newInputs()
	if !s.await(func() bool { return s.enter(request) }) {
		return false
	}
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		defer s.leave(request)
		handle(s, request)
	}()
	return true
}

// enter makes a request known, before the next line is read, which may be its first input.
func (s *Session) enter(request Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, isThere := s.requests[string(request.ID)]; isThere || len(s.requests) >= mostRequests {
		return false
	}
	s.requests[string(request.ID)] = request.Inputs
	return true
}

func (s *Session) leave(request Request) {
	request.Inputs.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, string(request.ID))
}

// pass hands an input to its request, if that is still in work. @returns false when the host is gone
func (s *Session) pass(id string, input Input) bool {
	s.mu.Lock()
	inputs := s.requests[id]
	s.mu.Unlock()
	return inputs == nil || s.await(func() bool { return inputs.add(input) })
}

const roomCheck = 10 * time.Millisecond

// await tries until an act has room, which it has at once for a host that keeps to the limits. Meanwhile nobody reads,
// so it looks whether the host is still there. @returns false when it is not
func (s *Session) await(act func() bool) bool {
	for !act() {
		if s.transport.IsHostGone() {
			return false
		}
		time.Sleep(roomCheck)
	}
	return true
}

// greet answers a sync, before anything else is sent. The line before it may have been cut off when an earlier
// session ended, hence the line feed in front.
func (s *Session) greet(nonce json.RawMessage) {
	s.writing.Lock()
	s.work.Add(1)
	go func() { // a host that does not read must not keep us from reading
		defer s.work.Done()
		defer s.writing.Unlock()
		_, _ = s.transport.Write([]byte("\n{\"sync\":" + string(nonce) + "}\n"))
	}()
}

// Send writes one message. It fails when the session has ended.
func (s *Session) Send(message any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return s.write(append(line, '\n'))
}

func (s *Session) write(line []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.Context.Err(); err != nil {
		return err
	}
	_, err := s.transport.Write(line)
	return err
}

// Answer ends a request well.
func (s *Session) Answer(request Request, ok any) {
	_ = s.Send(struct {
		ID json.RawMessage `json:"id"`
		OK any             `json:"ok"`
	}{request.ID, ok})
}

// Fail ends a request with an error.
func (s *Session) Fail(request Request, code string, err error) {
	type failure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	_ = s.Send(struct {
		ID    json.RawMessage `json:"id"`
		Error failure         `json:"error"`
	}{request.ID, failure{code, err.Error()}})
}
