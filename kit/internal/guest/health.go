package guest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"sheaf/kit/internal/instance"
	"sheaf/kit/internal/probe"
	"sheaf/kit/internal/process"
	"sheaf/kit/internal/service"
)

// While the instance is not healthy somebody waits for it, so probes come in a rhythm of their own where the declared
// one is slower: at once after the start, then less and less often.
const (
	firstProbe  = 50 * time.Millisecond
	eagerRhythm = 500 * time.Millisecond
)

// followHealth begins to probe as the description says, from nothing known. Callers hold the lock.
func (g *Guest) followHealth() {
	if g.stopProbing != nil {
		g.stopProbing()
		g.stopProbing = nil
	}
	g.healthy, g.healthNote = nil, ""
	if g.description.Health == nil {
		return
	}
	ctx, cancel := context.WithCancel(g.ending)
	g.stopProbing = cancel
	go g.probeHealth(ctx, *g.description.Health, g.address)
}

func (g *Guest) probeHealth(ctx context.Context, health instance.Health, address string) {
	failures := 0
	wasHealthy := false
	eager := probe.Backoff{First: firstProbe, Limit: eagerRhythm}
	for {
		err := g.probeOnce(ctx, health, address)
		if ctx.Err() != nil {
			return
		}
		if err != nil && g.held() != nil {
			// whoever stands still on request is not ill
			if !pause(ctx, eagerRhythm) {
				return
			}
			continue
		}
		if err == nil {
			if !wasHealthy {
				g.console.Printf("healthy")
			}
			failures, wasHealthy = 0, true
			g.setHealth(ctx, true, "")
		} else {
			failures++
			if failures == health.Failures {
				g.console.Printf("not healthy: %s", err)
			}
			if !wasHealthy || failures >= health.Failures {
				wasHealthy = false
				g.setHealth(ctx, false, "health: "+err.Error())
			}
		}
		rhythm := health.IntervalMs.Duration()
		if wasHealthy {
			eager.Reset()
		} else if soon := eager.Next(); soon < rhythm {
			rhythm = soon
		}
		if !pause(ctx, rhythm) {
			return
		}
	}
}

func (g *Guest) setHealth(ctx context.Context, healthy bool, note string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() == nil { // else another prober has taken over
		g.healthy, g.healthNote = &healthy, note
	}
}

func (g *Guest) probeOnce(ctx context.Context, health instance.Health, address string) error {
	ctx, cancel := context.WithTimeout(ctx, health.TimeoutMs.Duration())
	defer cancel()
	if p := health.Probe; p.Kind == "command" {
		code, err := service.RunToEnd(ctx, g.table, g.console, process.Command{
			Label: "health", Args: p.Command, Environment: p.Environment, User: p.User, Directory: p.Directory,
		})
		if err == nil && code != 0 {
			return fmt.Errorf("the command ended with %d", code)
		}
		return err
	}
	// A service may listen on the instance's own address alone.
	err := probeAt(ctx, health.Probe, "127.0.0.1")
	if err != nil && address != "" && ctx.Err() == nil {
		return probeAt(ctx, health.Probe, address)
	}
	return err
}

func probeAt(ctx context.Context, p instance.Probe, address string) error {
	target := net.JoinHostPort(address, strconv.Itoa(p.Port))
	if p.Kind == "tcp" {
		return probe.TCP(ctx, target)
	}
	path := p.Path
	if path == "" {
		path = "/"
	}
	status, err := probe.HTTP(ctx, target, path)
	if err == nil && status >= 400 {
		return fmt.Errorf("%s answers %d", path, status)
	}
	return err
}
