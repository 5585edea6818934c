package guest

import (
	"context"
	"reflect"

	"sheaf/kit/internal/instance"
	"sheaf/kit/internal/service"
)

// followServices makes the services that run those of the description. Callers hold the lock.
func (g *Guest) followServices() {
	present := map[string]*service.Service{}
	for _, s := range g.services {
		present[s.Description().Name] = s
	}
	wanted := map[string]*service.Service{}
	var list, fresh []*service.Service
	for _, description := range g.description.Services {
		s := present[description.Name]
		if s != nil && isHeldByOthers(s, description) {
			go s.Stop()
			s = nil
		}
		if s == nil {
			s = service.New(g.table, g.console, description)
			fresh = append(fresh, s)
		} else if !reflect.DeepEqual(s.Description(), description) {
			needsRestart := !runsAlike(s.Description(), description)
			s.Update(description)
			if needsRestart {
				s.Restart()
			}
		}
		wanted[description.Name] = s
		list = append(list, s)
	}
	for name, s := range present {
		if wanted[name] == nil {
			go s.Stop()
		}
	}
	g.services = list
	for _, s := range fresh {
		var after []*service.Service
		for _, name := range s.Description().After {
			after = append(after, wanted[name])
		}
		go s.Run(after)
	}
}

// isHeldByOthers tells whether a service has not begun because it waits for services that it no longer comes after.
func isHeldByOthers(s *service.Service, description instance.Service) bool {
	return s.Status().State == service.Held && !reflect.DeepEqual(s.Description().After, description.After)
}

// runsAlike tells whether a running service may go on under another description.
func runsAlike(a, b instance.Service) bool {
	return reflect.DeepEqual(a.Command, b.Command) && reflect.DeepEqual(a.Environment, b.Environment) &&
		a.User == b.User && a.Directory == b.Directory
}

// stopServices stops each service before those that it comes after. When the time is over, all that still run are killed.
func (g *Guest) stopServices(ctx context.Context) {
	g.mu.Lock()
	left := append([]*service.Service{}, g.services...)
	g.mu.Unlock()
	for len(left) > 0 {
		free, rest := withoutFollowers(left)
		done := make(chan struct{}, len(free))
		for _, s := range free {
			go func(s *service.Service) {
				s.Stop()
				done <- struct{}{}
			}(s)
		}
		for range free {
			select {
			case <-done:
			case <-ctx.Done():
				g.console.Printf("the time to stop is over")
				return
			}
		}
		left = rest
	}
}

// withoutFollowers parts the services into those that no other one comes after, and the rest.
func withoutFollowers(services []*service.Service) (free, rest []*service.Service) {
	followed := map[string]bool{}
	for _, s := range services {
		for _, name := range s.Description().After {
			followed[name] = true
		}
	}
	for _, s := range services {
		if followed[s.Description().Name] {
			rest = append(rest, s)
		} else {
			free = append(free, s)
		}
	}
	return free, rest
}
