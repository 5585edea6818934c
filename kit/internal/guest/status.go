package guest

import (
	"fmt"
	"strings"

	"sheaf/kit/internal/service"
)

// Phase is how far the guest has come.
type Phase string

// The phases, in the order in which they follow each other; failed may follow any of the first three, holding all up to
// running.
const (
	Booting  Phase = "booting"
	Waiting  Phase = "waiting"
	Hooks    Phase = "hooks"
	Running  Phase = "running"
	Holding  Phase = "holding"
	Held     Phase = "held"
	Stopping Phase = "stopping"
	Failed   Phase = "failed"
)

// Status is the answer to the op status.
type Status struct {
	Instance   string           `json:"instance"`
	Generation int64            `json:"generation"`
	Phase      Phase            `json:"phase"`
	WaitingFor []string         `json:"waitingFor"`
	Healthy    *bool            `json:"healthy"`
	Message    string           `json:"message"`
	Services   []service.Status `json:"services"`
}

const longestMessage = 200

// Status tells how the guest is now.
func (g *Guest) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	status := Status{
		Instance:   g.description.Instance,
		Generation: g.description.Generation,
		Phase:      g.phase,
		WaitingFor: append([]string{}, g.waitingFor...),
		Healthy:    g.healthy,
		Services:   []service.Status{},
	}
	if len(g.services) == 0 {
		for _, s := range g.description.Services {
			status.Services = append(status.Services, service.Status{Name: s.Name, State: service.Held})
		}
	}
	for _, s := range g.services {
		status.Services = append(status.Services, s.Status())
	}
	status.Message = g.messageFor(status)
	if len(status.Message) > longestMessage {
		status.Message = strings.ToValidUTF8(status.Message[:longestMessage], "")
	}
	return status
}

// messageFor says in a few words what a person should know.
func (g *Guest) messageFor(status Status) string {
	switch {
	case g.message != "":
		return g.message
	case g.phase == Waiting:
		return "waits for " + strings.Join(g.waitingFor, ", ")
	case g.phase != Running:
		return ""
	case g.heldNow != nil:
		return "its data are held still"
	}
	for _, s := range status.Services {
		if s.State == service.Backoff && s.ExitCode != nil {
			return fmt.Sprintf("service %s ended with %d and is started again (%d times by now)", s.Name, *s.ExitCode, s.Restarts)
		}
	}
	if g.healthy != nil && !*g.healthy {
		return g.healthNote
	}
	return ""
}
