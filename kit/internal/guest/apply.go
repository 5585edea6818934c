package guest

import (
	"reflect"
	"sync"

	"sheaf/kit/internal/files"
	"sheaf/kit/internal/instance"
	"sheaf/kit/internal/service"
)

// Apply writes files and follows a new description among them. @returns the paths whose file is another now
//
// Nothing is written when the new description is not understood. Commands by which services reload are waited for.
func (g *Guest) Apply(list []files.File) ([]string, error) {
	description, err := descriptionIn(list)
	if err != nil {
		return nil, err
	}
	changed := []string{}
	for _, file := range list {
		isChanged, err := files.Write(file)
		if err != nil {
			return changed, err
		}
		if isChanged {
			changed = append(changed, file.Path)
		}
	}
	if description != nil {
		g.follow(description)
		if err := g.writeHosts(); err != nil {
			return changed, err
		}
	}
	g.reloadFollowers(changed)
	return changed, nil
}

func descriptionIn(list []files.File) (*instance.Description, error) {
	for _, file := range list {
		if file.Path != instance.Path {
			continue
		}
		text, err := file.Bytes()
		if err != nil {
			return nil, err
		}
		return instance.Parse(text)
	}
	return nil, nil
}

// follow takes a description over and wakes whoever waits for another one.
func (g *Guest) follow(description *instance.Description) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.description
	g.description = description
	close(g.changed)
	g.changed = make(chan struct{})
	if g.phase != Running || description.IsHeld {
		return
	}
	g.followServices()
	if !reflect.DeepEqual(before.Health, description.Health) {
		g.followHealth()
	}
}

// reloadFollowers tells each service once that files of it have changed, all at the same time.
func (g *Guest) reloadFollowers(changed []string) {
	g.mu.Lock()
	services, description := g.services, g.description
	g.mu.Unlock()
	told := map[*service.Service]bool{}
	var reloads sync.WaitGroup
	defer reloads.Wait()
	for _, path := range changed {
		follower := description.FollowerOf(path)
		for _, s := range services {
			if s.Description().Name == follower && !told[s] {
				told[s] = true
				reloads.Add(1)
				go func(follower *service.Service) {
					defer reloads.Done()
					follower.Reload()
				}(s)
			}
		}
	}
}
