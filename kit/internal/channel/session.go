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
	Inputs <-chan Input
}

// Input is what a host sends to a request that is still being answered: a piece of standard input, or a signal.
type Input struct {
	// Stdin is nil in a signal and at the end of the input.
	Stdin  []byte
	Signal string
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
	room    chan struct{}

	mu     sync.Mutex
	inputs map[string]chan<- Input
}

func open(transport Transport) *Session {
	ctx, cancel := context.WithCancel(context.Background())
	return &Session{
		Context:   ctx,
		cancel:    cancel,
		transport: transport,
		room:      make(chan struct{}, mostRequests),
		inputs:    map[string]chan<- Input{},
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
	if !give(s.transport, s.room, struct{}{}) {
		return false
	}
	inputs := make(chan Input, 4)
	request.Inputs = inputs
	s.mu.Lock()
	s.inputs[string(request.ID)] = inputs // before the next line is read, which may be its first input
	s.mu.Unlock()
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		defer func() { <-s.room }()
		defer s.forget(request, inputs)
		handle(s, request)
	}()
	return true
}

// forget lets further inputs of a request fall, and frees a reader that waits for room for one.
func (s *Session) forget(request Request, inputs <-chan Input) {
	s.mu.Lock()
	delete(s.inputs, string(request.ID))
	s.mu.Unlock()
	for len(inputs) > 0 {
		<-inputs
	}
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

// pass hands an input to its request, if that still takes any. @returns false when the host is gone
func (s *Session) pass(id string, input Input) bool {
	s.mu.Lock()
	queue, isWanted := s.inputs[id]
	s.mu.Unlock()
	return !isWanted || give(s.transport, queue, input)
}

const roomCheck = 100 * time.Millisecond

// give waits until a queue has room. Nobody reads from the transport meanwhile, so it looks now and then whether the
// host is still there. @returns false when it is not
func give[T any](transport Transport, queue chan<- T, item T) bool {
	for {
		timer := time.NewTimer(roomCheck)
		select {
		case queue <- item:
			timer.Stop()
			return true
		case <-timer.C:
			if transport.IsHostGone() {
				return false
			}
		}
	}
}
