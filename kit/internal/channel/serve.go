// Package channel is the guest's end of the channel to the host: lines of JSON, in sessions.
package channel

import (
	"encoding/json"
	"errors"
)

// incoming is any message of the host.
type incoming struct {
	Sync   json.RawMessage `json:"sync"`
	ID     json.RawMessage `json:"id"`
	Op     string          `json:"op"`
	Stdin  json.RawMessage `json:"stdin"`
	Signal string          `json:"signal"`
}

// Serve answers one host after the other until the transport is closed.
//
// A session starts with the host's sync, and ends with the next one or when the host is gone. What comes outside of a
// session, or is no message, is passed over.
func Serve(transport Transport, handle func(*Session, Request)) error {
	return ServeStreams(transport, handle, nil)
}

// ServeStreams serves one host after the other, too. The op volume makes a session a stream of bytes, which carry has until
// the host is gone.
func ServeStreams(transport Transport, handle func(*Session, Request), carry func(*Session, Request, *Stream)) error {
	var session *Session
	defer func() { session.end() }()
	from := &lines{from: transport}
	for {
		line, err := from.next()
		switch {
		case errors.Is(err, ErrHostGone):
			session.end()
			session = nil
			from.reset()
			continue
		case errors.Is(err, errLineTooLong):
			line = []byte(`{"op":"line-too-long"}`) // answered like any op that is not known
		case err != nil:
			return err
		}
		var message incoming
		if json.Unmarshal(line, &message) != nil {
			continue
		}
		if message.Sync != nil {
			session.end()
			session = open(transport)
			session.greet(message.Sync)
			continue
		}
		if session != nil && carry != nil && message.Op == "volume" {
			carry(session, Request{ID: message.ID, Op: message.Op, Line: line}, &Stream{transport, from.pending})
			session.end()
			session = nil
			from.reset()
			continue
		}
		if session != nil && !session.take(message, line, handle) {
			session.end()
			session = nil
		}
	}
}

// take passes a message to where it belongs. @returns false when the host is gone
func (s *Session) take(message incoming, line []byte, handle func(*Session, Request)) bool {
	if message.Op != "" {
		return s.start(Request{ID: message.ID, Op: message.Op, Line: line}, handle)
	}
	input, isInput := message.input()
	return !isInput || s.pass(string(message.ID), input)
}

func (m incoming) input() (Input, bool) {
	if m.Signal != "" {
		return Input{Signal: m.Signal}, true
	}
	if m.Stdin == nil {
		return Input{}, false
	}
	var bytes []byte
	if json.Unmarshal(m.Stdin, &bytes) != nil {
		return Input{}, false
	}
	return Input{Stdin: bytes}, true // null gives nil: the end
}
