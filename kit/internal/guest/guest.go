// Package guest makes a machine or container what its description says, from its start to its end.
package guest

import (
	"context"
	"sync"
	"time"

	"sheaf/kit/internal/console"
	"sheaf/kit/internal/instance"
	"sheaf/kit/internal/process"
	"sheaf/kit/internal/service"
)

// Guest is one instance and its life.
type Guest struct {
	table   *process.Table
	console *console.Console

	mu          sync.Mutex
	description *instance.Description
	hostname    string
	address     string
	phase       Phase
	message     string
	waitingFor  []string
	healthy     *bool
	healthNote  string
	services    []*service.Service
	stopProbing context.CancelFunc
	// heldNow is how the data are held still; nil while they are not.
	heldNow *hold

	// holding is held while data are being brought to stand still or to go on.
	holding      sync.Mutex
	freeze, thaw func(mount string) error

	// changed is closed, and replaced, when another description was applied.
	changed chan struct{}
	// ending ends everything that waits; over is closed when nothing runs any more.
	ending   context.Context
	beginEnd context.CancelFunc
	endOnce  sync.Once
	over     chan struct{}
}

// New makes a guest that is booting.
func New(table *process.Table, console *console.Console) *Guest {
	ending, beginEnd := context.WithCancel(context.Background())
	return &Guest{
		table:       table,
		console:     console,
		description: &instance.Description{Version: 1},
		phase:       Booting,
		changed:     make(chan struct{}),
		ending:      ending,
		beginEnd:    beginEnd,
		over:        make(chan struct{}),
	}
}

// SetIdentity tells the guest its own name and address, "" where it has none.
func (g *Guest) SetIdentity(hostname, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hostname, g.address = hostname, address
}

// Fail says that the machine cannot become what it shall be.
func (g *Guest) Fail(err error) {
	g.console.Printf("%s", err)
	g.setPhase(Failed, err.Error())
}

// Over is closed when the services have ended and the machine may be switched off.
func (g *Guest) Over() <-chan struct{} { return g.over }

// Run follows the description: waits for peers, runs the hooks, starts the services.
//
// A hook that fails for good leaves the guest failed until another description is applied.
func (g *Guest) Run(description *instance.Description) {
	g.mu.Lock()
	g.description = description
	g.mu.Unlock()
	if err := g.writeHosts(); err != nil {
		g.Fail(err)
		return
	}
	for g.ending.Err() == nil {
		g.mu.Lock()
		changed := g.changed
		g.mu.Unlock()
		if g.current().IsHeld {
			g.standStill()
		} else if err := g.begin(); err != nil {
			g.Fail(err)
		}
		select {
		case <-changed:
		case <-g.ending.Done():
		}
	}
}

// begin brings the services to run, unless they do or are to be held.
func (g *Guest) begin() error {
	g.mu.Lock()
	isRunning := g.phase == Running
	g.mu.Unlock()
	if isRunning {
		return nil
	}
	g.awaitPeers()
	if g.current().IsHeld {
		return nil
	}
	if err := g.runStartHooks(); err != nil {
		return err
	}
	g.startServices()
	return nil
}

func (g *Guest) startServices() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ending.Err() != nil || g.description.IsHeld {
		return
	}
	g.phase, g.message = Running, ""
	g.followServices()
	g.followHealth()
}

// Stop ends everything in order: the hook drain, then the services in reverse. Returns at once; see Over.
func (g *Guest) Stop(limit time.Duration) {
	g.endOnce.Do(func() {
		g.setPhase(Stopping, "")
		g.console.Printf("stopping")
		g.beginEnd()
		go func() {
			defer close(g.over)
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			g.letGo(g.held(), "")
			g.runDrain(ctx)
			g.stopServices(ctx)
		}()
	})
}

func (g *Guest) setPhase(phase Phase, message string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.phase == Stopping {
		return
	}
	g.phase, g.message = phase, message
}

func (g *Guest) current() *instance.Description {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.description
}
