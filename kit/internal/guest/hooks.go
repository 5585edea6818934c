package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sheaf/kit/internal/files"
	"sheaf/kit/internal/instance"
	"sheaf/kit/internal/process"
	"sheaf/kit/internal/service"
)

// A hook that fails is tried again after each of these pauses: what it needs of a peer may come a moment later.
var hookPauses = []time.Duration{time.Second, 5 * time.Second}

// runStartHooks runs the hooks that are due before the services: init once for these data, migrate once a version.
func (g *Guest) runStartHooks() error {
	description := g.current()
	due := []struct{ name, mark string }{
		{"init", "done"},
		{"migrate", description.Uses.Version},
	}
	for _, hook := range due {
		if err := g.runOnceFor(description, hook.name, hook.mark); err != nil {
			return err
		}
	}
	return nil
}

// runOnceFor runs a hook unless the first data volume bears the mark that it ended well. Without a volume it always runs.
func (g *Guest) runOnceFor(description *instance.Description, name, mark string) error {
	hook, isDeclared := description.Hooks[name]
	if !isDeclared || g.ending.Err() != nil {
		return nil
	}
	file := markFile(description, name)
	if present, err := os.ReadFile(file); file != "" && err == nil && string(present) == mark+"\n" && mark != "" {
		return nil
	}
	if err := g.tryHook(name, hook); err != nil {
		return err
	}
	if file == "" {
		return nil
	}
	_, err := files.Write(files.File{Path: file, Content: mark + "\n", Permissions: "0600"})
	return err
}

// markFile is where a hook's success is kept; "" when the instance has no data of its own.
func markFile(description *instance.Description, name string) string {
	for _, volume := range description.Volumes {
		if volume.Kind == "data" {
			return filepath.Join(volume.Mount, ".sheaf", name)
		}
	}
	return ""
}

func (g *Guest) tryHook(name string, hook instance.Hook) error {
	for tries := 0; ; tries++ {
		g.setPhase(Hooks, "runs the hook "+name)
		err := g.runHook(g.ending, name, hook)
		if err == nil || tries == len(hookPauses) {
			return err
		}
		g.console.Printf("%s; it is tried again", err)
		g.setPhase(Hooks, err.Error()+"; it is tried again")
		if !pause(g.ending, hookPauses[tries]) {
			return err
		}
	}
}

func (g *Guest) runHook(ctx context.Context, name string, hook instance.Hook) error {
	ctx, cancel := context.WithTimeout(ctx, hook.TimeoutMs.Duration())
	defer cancel()
	code, err := service.RunToEnd(ctx, g.table, g.console, process.Command{
		Label: "hook-" + name, Args: hook.Command, Directory: "/",
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the hook %s did not end within %s", name, hook.TimeoutMs.Duration())
	case err != nil:
		return fmt.Errorf("the hook %s: %w", name, err)
	case code != 0:
		return fmt.Errorf("the hook %s ended with %d", name, code)
	}
	return nil
}

// runDrain lets the appliance finish its work before its services are stopped.
func (g *Guest) runDrain(ctx context.Context) {
	g.mu.Lock()
	hook, isDeclared := g.description.Hooks["drain"]
	isServing := len(g.services) > 0
	g.mu.Unlock()
	if !isDeclared || !isServing {
		return
	}
	if err := g.runHook(ctx, "drain", hook); err != nil {
		g.console.Printf("%s", err)
	}
}
