package guest

import "context"

// standStill stops the services until a description comes that lets them run again. The data are left to the host.
func (g *Guest) standStill() {
	g.mu.Lock()
	if g.phase == Held || g.phase == Stopping {
		g.mu.Unlock()
		return
	}
	g.phase, g.message = Holding, "stops its services"
	if g.stopProbing != nil {
		g.stopProbing()
		g.stopProbing = nil
	}
	g.healthy, g.healthNote = nil, ""
	g.mu.Unlock()
	g.runDrain(g.ending)
	g.stopServices(context.Background()) // each has a time of its own after which it is killed
	g.mu.Lock()
	g.services = nil
	g.mu.Unlock()
	g.setPhase(Held, "")
	g.console.Printf("held")
}
