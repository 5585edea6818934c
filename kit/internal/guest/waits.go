package guest

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"sheaf/kit/internal/instance"
	"sheaf/kit/internal/probe"
)

const (
	// Every try sends a fresh SYN: the kernel's own second one would come after a whole second.
	waitRhythm = 100 * time.Millisecond
	// An answer may take its time on an emulated processor.
	waitLimit = 5 * time.Second
	// mostProbes bounds how many peers are asked at once.
	mostProbes = 32
)

// awaitPeers returns when each wait has a peer that answers, or the guest is ending or to be held.
// A wait that another description changed or dropped is not waited for any longer.
func (g *Guest) awaitPeers() {
	for {
		g.mu.Lock()
		waits, changed, isHeld := g.description.Waits, g.changed, g.description.IsHeld
		g.mu.Unlock()
		if isHeld {
			g.setWaitingFor(nil)
			return
		}
		ctx, cancel := context.WithCancel(g.ending)
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.awaitAll(ctx, waits)
		}()
		select {
		case <-done:
			cancel()
			g.setWaitingFor(nil)
			return
		case <-changed:
			cancel()
			<-done
		}
	}
}

func (g *Guest) awaitAll(ctx context.Context, waits []instance.Wait) {
	held := &holding{guest: g}
	for _, wait := range waits {
		if wait.Transport == "tcp" && len(wait.Peers) > 0 {
			held.waits = append(held.waits, wait)
		}
	}
	if len(held.waits) == 0 {
		return
	}
	held.tell()
	g.setPhase(Waiting, "")
	room := make(chan struct{}, mostProbes)
	var group sync.WaitGroup
	for _, wait := range append([]instance.Wait{}, held.waits...) {
		group.Add(1)
		go func(wait instance.Wait) {
			defer group.Done()
			awaitAny(ctx, room, wait)
			held.release(wait)
		}(wait)
	}
	group.Wait()
}

// holding is the waits that have no peer that answers yet.
type holding struct {
	guest *Guest
	mu    sync.Mutex
	waits []instance.Wait
}

func (h *holding) release(done instance.Wait) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, wait := range h.waits {
		if wait.Terminal == done.Terminal {
			h.waits = append(h.waits[:i], h.waits[i+1:]...)
			break
		}
	}
	h.tell()
}

func (h *holding) tell() {
	names := []string{}
	for _, wait := range h.waits {
		names = append(names, wait.Terminal)
	}
	h.guest.setWaitingFor(names)
}

// awaitAny returns when one peer of a wait answers.
func awaitAny(ctx context.Context, room chan struct{}, wait instance.Wait) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	for _, peer := range wait.Peers {
		address := net.JoinHostPort(peer.Address, strconv.Itoa(peer.Port))
		group.Add(1)
		go func() {
			defer group.Done()
			for !answers(ctx, room, wait.Protocol, address) && pause(ctx, waitRhythm) {
			}
			cancel() // one is enough
		}()
	}
	group.Wait()
}

func answers(ctx context.Context, room chan struct{}, protocol, address string) bool {
	select {
	case room <- struct{}{}:
	case <-ctx.Done():
		return true
	}
	defer func() { <-room }()
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	if protocol == "http" {
		_, err := probe.HTTP(ctx, address, "/")
		return err == nil
	}
	return probe.TCP(ctx, address) == nil
}

// pause waits. @returns false when the context ended first
func pause(ctx context.Context, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (g *Guest) setWaitingFor(names []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waitingFor = names
}
