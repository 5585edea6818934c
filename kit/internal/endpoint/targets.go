package endpoint

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// rest is how long a target that could not be reached is asked last.
const rest = 5 * time.Second

// Targets are the instances behind an endpoint, taken in turn.
type Targets struct {
	mu        sync.Mutex
	addresses []string
	next      int
	failed    map[string]time.Time
}

// NewTargets makes a rotation of addresses IP:PORT, at least one.
func NewTargets(addresses []string) *Targets {
	return &Targets{addresses: addresses, failed: map[string]time.Time{}}
}

// order lists the targets as they should be tried now.
func (t *Targets) order(now time.Time) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var fresh, tired []string
	for i := range t.addresses {
		address := t.addresses[(t.next+i)%len(t.addresses)]
		if now.Sub(t.failed[address]) < rest {
			tired = append(tired, address)
		} else {
			fresh = append(fresh, address)
		}
	}
	t.next = (t.next + 1) % len(t.addresses)
	return append(fresh, tired...)
}

func (t *Targets) note(address string, err error, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		delete(t.failed, address)
	} else {
		t.failed[address] = now
	}
}

// connect connects to the first target that can be reached.
func (t *Targets) connect(ctx context.Context, source Source, network string, client net.IP) (net.Conn, error) {
	err := errors.New("no target")
	for _, address := range t.order(time.Now()) {
		var connection net.Conn
		connection, err = source.dial(ctx, network, client, address)
		t.note(address, err, time.Now())
		if err == nil {
			return connection, nil
		}
	}
	return nil, err
}
