package guest

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"sheaf/kit/internal/console"
	"sheaf/kit/internal/instance"
	"sheaf/kit/internal/process"
	"sheaf/kit/internal/service"
)

const patience = 10 * time.Second

// One table for all tests: it reaps every child of this process.
var table = func() *process.Table {
	t := process.NewTable("")
	go t.Reap(nil)
	return t
}()

func newGuest(t *testing.T, services ...instance.Service) *Guest {
	t.Helper()
	g := New(table, console.New(io.Discard))
	g.description = &instance.Description{Version: 1, Instance: "web.1", Services: services}
	t.Cleanup(func() {
		g.Stop(patience)
		<-g.Over()
	})
	return g
}

func sleeper(name string, after ...string) instance.Service {
	stop := instance.Stop{Signal: "TERM", TimeoutMs: 1000}
	return instance.Service{Name: name, Command: []string{"sleep", "1000"}, After: after, Directory: "/", Stop: stop}
}

func until(t *testing.T, g *Guest, holds func(Status) bool) Status {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		status := g.Status()
		if holds(status) {
			return status
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %+v", status)
		}
	}
}

func allRun(s Status) bool {
	for _, one := range s.Services {
		if one.State != service.Running {
			return false
		}
	}
	return len(s.Services) > 0
}

func TestServicesAreHeldUntilThoseBeforeThemRun(t *testing.T) {
	first := sleeper("first")
	first.Command = []string{"no-such-program"}
	g := newGuest(t, sleeper("second", "first"), first)
	g.startServices()
	status := until(t, g, func(s Status) bool { return s.Services[1].Restarts > 0 })
	if second := status.Services[0]; second.State != service.Held {
		t.Errorf("%+v", second)
	}
	if !strings.HasPrefix(status.Message, "service first ended with 127 and is started again") {
		t.Error(status.Message)
	}
	g.mu.Lock()
	g.description = &instance.Description{Version: 1, Services: []instance.Service{sleeper("second", "first"), sleeper("first")}}
	g.followServices()
	g.mu.Unlock()
	until(t, g, allRun)
}

func TestAHeldServiceFollowsItsNewOrder(t *testing.T) {
	first := sleeper("first")
	first.Command = []string{"no-such-program"}
	g := newGuest(t, first, sleeper("second", "first"))
	g.startServices()
	until(t, g, func(s Status) bool { return s.Services[0].Restarts > 0 })

	g.follow(&instance.Description{Version: 1, Services: []instance.Service{sleeper("second")}})

	until(t, g, allRun)
}

func TestANewDescriptionStartsStopsAndRestartsWhatItMust(t *testing.T) {
	g := newGuest(t, sleeper("kept"), sleeper("gone"), sleeper("other"))
	g.startServices()
	until(t, g, allRun)
	before := map[string]*service.Service{}
	for _, s := range g.services {
		before[s.Description().Name] = s
	}
	other := sleeper("other")
	other.Command = []string{"sleep", "2000"}
	kept := sleeper("kept")
	kept.Stop.TimeoutMs = 500 // needs no restart

	g.follow(&instance.Description{Version: 1, Generation: 2, Services: []instance.Service{kept, other, sleeper("new")}})
	status := until(t, g, func(s Status) bool { return allRun(s) && before["gone"].Status().State == service.Stopped })

	if status.Generation != 2 || len(status.Services) != 3 || g.services[0] != before["kept"] {
		t.Errorf("%+v", status)
	}
	if g.services[0].Description().Stop.TimeoutMs != 500 {
		t.Error("the new description was not taken over")
	}
}

func TestServicesAreStoppedBeforeThoseThatTheyComeAfter(t *testing.T) {
	services := []*service.Service{}
	for _, d := range []instance.Service{sleeper("a"), sleeper("b", "a"), sleeper("c", "b"), sleeper("d", "a")} {
		services = append(services, service.New(table, console.New(io.Discard), d))
	}
	var rounds []string
	for len(services) > 0 {
		free, rest := withoutFollowers(services)
		names := ""
		for _, s := range free {
			names += s.Description().Name
		}
		rounds = append(rounds, names)
		services = rest
	}
	if got := strings.Join(rounds, " "); got != "cd b a" {
		t.Error(got)
	}
}

func TestAHookThatFailsIsTriedThreeTimes(t *testing.T) {
	pauses := hookPauses
	hookPauses = []time.Duration{time.Millisecond, time.Millisecond}
	t.Cleanup(func() { hookPauses = pauses })
	g := newGuest(t)
	file := t.TempDir() + "/tries"
	g.description.Hooks = map[string]instance.Hook{
		"init": {Command: []string{"sh", "-c", "echo >> " + file + "; test $(wc -l < " + file + ") -eq 3"}, TimeoutMs: 5000},
	}
	if err := g.runStartHooks(); err != nil {
		t.Error(err)
	}
	_ = os.Remove(file)
	g.description.Hooks["init"] = instance.Hook{Command: []string{"sh", "-c", "echo >> " + file + "; exit 4"}, TimeoutMs: 5000}
	err := g.runStartHooks()
	tries, _ := os.ReadFile(file)
	if err == nil || err.Error() != "the hook init ended with 4" || string(tries) != "\n\n\n" {
		t.Errorf("%v %q", err, tries)
	}
}

func TestAHookThatTakesTooLongIsEnded(t *testing.T) {
	g := newGuest(t)
	err := g.runHook(context.Background(), "init", instance.Hook{Command: []string{"sleep", "1000"}, TimeoutMs: 20})
	if err == nil || err.Error() != "the hook init did not end within 20ms" {
		t.Error(err)
	}
}

func TestWaitsEndWhenOnePeerOfEachAnswers(t *testing.T) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	open := listener.Addr().(*net.TCPAddr).Port
	g := newGuest(t)
	g.description.Waits = []instance.Wait{
		{Terminal: "db", Transport: "tcp", Protocol: "postgresql", Peers: []instance.Peer{{Address: "127.0.0.1", Port: 1}, {Address: "127.0.0.1", Port: open}}},
		{Terminal: "log", Transport: "udp", Protocol: "syslog", Peers: []instance.Peer{{Address: "127.0.0.1", Port: 1}}},
		{Terminal: "none", Transport: "tcp", Protocol: "tcp"},
	}
	g.awaitPeers()
	if got := g.Status().WaitingFor; len(got) != 0 {
		t.Error(got)
	}
}

func TestAWaitThatIsNoLongerNamedIsNotWaitedFor(t *testing.T) {
	g := newGuest(t)
	dead := []instance.Peer{{Address: "127.0.0.1", Port: 1}}
	g.description.Waits = []instance.Wait{{Terminal: "db", Transport: "tcp", Protocol: "tcp", Peers: dead}}
	done := make(chan struct{})
	go func() {
		g.awaitPeers()
		close(done)
	}()
	status := until(t, g, func(s Status) bool { return s.Phase == Waiting })
	if status.Message != "waits for db" {
		t.Error(status.Message)
	}
	g.follow(&instance.Description{Version: 1})
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("it still waits")
	}
}

func TestStopEndsAServiceThatDoesNotListen(t *testing.T) {
	deaf := sleeper("deaf")
	deaf.Command = []string{"sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"}
	deaf.Stop.TimeoutMs = 50
	g := newGuest(t, deaf)
	g.startServices()
	until(t, g, allRun)
	g.Stop(patience)
	select {
	case <-g.Over():
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if status := g.Status(); status.Phase != Stopping || status.Services[0].State != service.Stopped {
		t.Errorf("%+v", status)
	}
}

func TestHostsText(t *testing.T) {
	hosts := []instance.Host{{Name: "db", Addresses: []string{"10.1.0.6", "10.1.0.7"}}}
	for _, c := range [][3]string{
		{"web-1", "10.1.0.5", "127.0.0.1 localhost\n10.1.0.5 web-1\n10.1.0.6 db\n10.1.0.7 db\n"},
		{"web-1", "", "127.0.0.1 localhost\n127.0.1.1 web-1\n10.1.0.6 db\n10.1.0.7 db\n"},
		{"", "", "127.0.0.1 localhost\n10.1.0.6 db\n10.1.0.7 db\n"},
	} {
		if got := hostsText(c[0], c[1], hosts); got != c[2] {
			t.Errorf("%q", got)
		}
	}
}

func TestAGuestThatIsHeldStopsItsServicesAndStartsThemAgain(t *testing.T) {
	g := newGuest(t)
	running := &instance.Description{Version: 1, Instance: "web.1", Services: []instance.Service{sleeper("one")}}
	go g.Run(running)
	until(t, g, allRun)

	held := *running
	held.IsHeld = true
	g.follow(&held)
	status := until(t, g, func(s Status) bool { return s.Phase == Held })
	g.follow(&held)
	g.follow(running)
	until(t, g, func(s Status) bool { return s.Phase == Running && allRun(s) })

	if len(status.Services) != 1 || status.Services[0].State != service.Held || status.Healthy != nil {
		t.Errorf("%+v", status)
	}
}

func TestAGuestThatIsHeldFromItsStartRunsNoHook(t *testing.T) {
	g := newGuest(t)
	file := t.TempDir() + "/ran"
	held := &instance.Description{Version: 1, Instance: "web.1", IsHeld: true, Services: []instance.Service{sleeper("one")}}
	held.Hooks = map[string]instance.Hook{"init": {Command: []string{"touch", file}, TimeoutMs: 5000}}
	go g.Run(held)
	until(t, g, func(s Status) bool { return s.Phase == Held })
	if _, err := os.Stat(file); err == nil {
		t.Error("the hook ran")
	}

	let := *held
	let.IsHeld = false
	g.follow(&let)
	until(t, g, func(s Status) bool { return s.Phase == Running && allRun(s) })

	if _, err := os.Stat(file); err != nil {
		t.Error("the hook did not run")
	}
}
