package guest

import (
	"context"
	"fmt"
	"time"

	"sheaf/kit/internal/instance"
)

const (
	// A hold is for the moment of a snapshot, or for a short copy. Whoever forgets it must not leave a database standing still.
	usualHold   = 30 * time.Second
	longestHold = 10 * time.Minute
)

type quiesceRequest struct {
	HoldMs int64 `json:"holdMs"`
}

type resumeAnswer struct {
	Held bool `json:"held"`
}

// hold is how data are held still.
type hold struct {
	// isHookRun says that the services were told by the hook quiesce, and are to be told by the hook resume.
	isHookRun bool
	frozen    []string
	timer     *time.Timer
}

// SetFreezer gives the guest the means to freeze a file system that is its own, by the folder that it is mounted on.
func (g *Guest) SetFreezer(freeze, thaw func(mount string) error) {
	g.freeze, g.thaw = freeze, thaw
}

// quiesce brings the data to a state that can be copied, and holds them there until resume or until the time is over:
// first the hook, then the file systems of the data volumes. Data that are held already are held anew.
func (g *Guest) quiesce(r quiesceRequest) (nothing, error) {
	limit := time.Duration(r.HoldMs) * time.Millisecond
	if limit <= 0 {
		limit = usualHold
	}
	if limit > longestHold {
		limit = longestHold
	}
	g.holding.Lock()
	defer g.holding.Unlock()
	if held := g.held(); held != nil {
		if held.timer.Stop() {
			held.timer.Reset(limit)
			return nothing{}, nil
		}
		// its time is over at this very moment
		g.release(held)
		g.setHeld(nil)
	}
	description, phase := g.currentPhase()
	if phase != Running && phase != Failed && phase != Waiting {
		return nothing{}, fmt.Errorf("the instance is %s", phase)
	}
	made := &hold{}
	if hook, isDeclared := description.Hooks["quiesce"]; isDeclared && phase == Running {
		made.isHookRun = true
		if err := g.runHook(g.ending, "quiesce", hook); err != nil {
			g.release(made)
			return nothing{}, err
		}
	}
	if err := g.freezeVolumes(made, description); err != nil {
		g.release(made)
		return nothing{}, err
	}
	made.timer = time.AfterFunc(limit, func() { g.letGo(made, "nobody resumed it in time, so it goes on by itself") })
	g.setHeld(made)
	return nothing{}, nil
}

// resume lets the services write again. The answer tells whether they were held until now.
func (g *Guest) resume(nothing) (resumeAnswer, error) {
	return resumeAnswer{g.letGo(g.held(), "")}, nil
}

// letGo ends a hold once. @returns whether it was still in force
func (g *Guest) letGo(made *hold, note string) bool {
	g.holding.Lock()
	defer g.holding.Unlock()
	if made == nil || g.held() != made {
		return false
	}
	made.timer.Stop()
	if note != "" {
		g.console.Printf("%s", note)
	}
	g.release(made)
	g.setHeld(nil)
	return true
}

func (g *Guest) freezeVolumes(made *hold, description *instance.Description) error {
	if g.freeze == nil {
		return nil
	}
	for _, volume := range description.Volumes {
		if volume.Kind != "data" {
			continue
		}
		if err := g.freeze(volume.Mount); err != nil {
			return fmt.Errorf("the volume %s: %w", volume.Name, err)
		}
		made.frozen = append(made.frozen, volume.Mount)
	}
	return nil
}

// release undoes what a hold has done. Services that cannot be told to go on are started anew, which ends every hold.
func (g *Guest) release(made *hold) {
	for i := len(made.frozen) - 1; i >= 0; i-- {
		if err := g.thaw(made.frozen[i]); err != nil {
			g.console.Printf("%s: %s", made.frozen[i], err)
		}
	}
	if !made.isHookRun {
		return
	}
	hook, isDeclared := g.current().Hooks["resume"]
	if !isDeclared {
		return
	}
	for tries := 0; ; tries++ {
		// also while the guest is ending: services that stand still could not end in good order
		err := g.runHook(context.Background(), "resume", hook)
		if err == nil {
			return
		}
		g.console.Printf("%s", err)
		if tries == len(hookPauses) || g.ending.Err() != nil {
			break
		}
		time.Sleep(hookPauses[tries])
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.services {
		s.Restart()
	}
}

func (g *Guest) held() *hold {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.heldNow
}

func (g *Guest) setHeld(made *hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heldNow = made
}

func (g *Guest) currentPhase() (*instance.Description, Phase) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.description, g.phase
}
