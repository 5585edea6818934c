package process

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// groups makes a control group a program, so that nothing that it starts can slip away by forking or setsid.
//
// This process steps into the new group, forks, and steps back: Go 1.19 cannot fork straight into a group, and a
// child that were moved after its start could have forked before. Callers hold the table's lock throughout.
type groups struct {
	root  string
	count int
}

const ownGroup = "supervisor"

func openGroups(root string) *groups {
	if root == "" {
		return nil
	}
	g := &groups{root: root}
	if os.MkdirAll(filepath.Join(root, ownGroup), 0o755) != nil || g.enter(ownGroup) != nil {
		return nil
	}
	return g
}

// enter moves this process into a group.
func (g *groups) enter(name string) error {
	return os.WriteFile(filepath.Join(g.root, name, "cgroup.procs"), []byte("0"), 0)
}

// within runs start inside a new group. @returns the group's name, "" when there are no groups
func (g *groups) within(label string, start func() error) (string, error) {
	if g == nil {
		return "", start()
	}
	g.count++
	name := label + "." + strconv.Itoa(g.count)
	if os.Mkdir(filepath.Join(g.root, name), 0o755) != nil || g.enter(name) != nil {
		return "", start()
	}
	err := start()
	_ = g.enter(ownGroup)
	if err != nil {
		_ = os.Remove(filepath.Join(g.root, name))
		return "", err
	}
	return name, nil
}

// kill ends every process of a group and removes it once it is empty.
func (g *groups) kill(name string) {
	folder := filepath.Join(g.root, name)
	_ = os.WriteFile(filepath.Join(folder, "cgroup.kill"), []byte("1"), 0)
	go func() {
		for i := 0; i < 100 && os.Remove(folder) != nil; i++ {
			time.Sleep(20 * time.Millisecond)
		}
	}()
}
