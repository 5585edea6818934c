package guest

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"sheaf/kit/internal/instance"
)

// newQuietGuest gives a running guest whose hooks and freezing leave a word each in a file, and a way to read them.
func newQuietGuest(t *testing.T, quiesce string) (*Guest, func() string) {
	t.Helper()
	file := t.TempDir() + "/words"
	say := func(word string) {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, _ = f.WriteString(word + " ")
	}
	database := sleeper("database")
	database.Command = []string{"sh", "-c", "printf 'start ' >> " + file + "; exec sleep 1000"}
	g := newGuest(t, database)
	g.description.Volumes = []instance.Volume{
		{Name: "data", Mount: "/data", Kind: "data"}, {Name: "cache", Mount: "/cache", Kind: "scratch"},
	}
	g.description.Hooks = map[string]instance.Hook{
		"quiesce": {Command: []string{"sh", "-c", "printf 'quiesce ' >> " + file + "; " + quiesce}, TimeoutMs: 5000},
		"resume":  {Command: []string{"sh", "-c", "printf 'resume ' >> " + file}, TimeoutMs: 5000},
	}
	g.SetFreezer(
		func(mount string) error { say("freeze:" + mount); return nil },
		func(mount string) error { say("thaw:" + mount); return nil },
	)
	g.startServices()
	words := func() string {
		words, _ := os.ReadFile(file)
		return strings.TrimSpace(string(words))
	}
	until(t, g, func(Status) bool { return words() == "start" })
	return g, words
}

func TestDataAreHeldStillUntilTheyAreResumed(t *testing.T) {
	g, words := newQuietGuest(t, "true")

	_, err := g.quiesce(quiesceRequest{})
	held := g.Status().Message
	first, _ := g.resume(nothing{})
	second, _ := g.resume(nothing{})

	if err != nil || held != "its data are held still" || !first.Held || second.Held {
		t.Errorf("%v %q %v %v", err, held, first, second)
	}
	if got := words(); got != "start quiesce freeze:/data thaw:/data resume" {
		t.Error(got)
	}
}

func TestDataThatNobodyResumesGoOnByThemselves(t *testing.T) {
	g, words := newQuietGuest(t, "true")

	_, _ = g.quiesce(quiesceRequest{HoldMs: 20})
	until(t, g, func(s Status) bool { return s.Message == "" })
	late, _ := g.resume(nothing{})

	if late.Held {
		t.Error("they were not held until then")
	}
	if got := words(); got != "start quiesce freeze:/data thaw:/data resume" {
		t.Error(got)
	}
}

func TestDataThatAreHeldAreHeldAnew(t *testing.T) {
	g, words := newQuietGuest(t, "true")

	_, _ = g.quiesce(quiesceRequest{HoldMs: 60_000})
	_, _ = g.quiesce(quiesceRequest{HoldMs: 20})
	until(t, g, func(s Status) bool { return s.Message == "" })

	if got := words(); got != "start quiesce freeze:/data thaw:/data resume" {
		t.Error(got)
	}
}

func TestAHookThatCannotQuiesceLeavesNothingHeld(t *testing.T) {
	g, words := newQuietGuest(t, "exit 3")

	_, err := g.quiesce(quiesceRequest{})

	if err == nil || err.Error() != "the hook quiesce ended with 3" || g.Status().Message != "" {
		t.Errorf("%v %+v", err, g.Status())
	}
	if got := words(); got != "start quiesce resume" {
		t.Error(got)
	}
}

func TestAVolumeThatCannotBeFrozenLeavesNothingHeld(t *testing.T) {
	g, words := newQuietGuest(t, "true")
	g.freeze = func(string) error { return errors.New("busy") }

	_, err := g.quiesce(quiesceRequest{})

	if err == nil || err.Error() != "the volume data: busy" {
		t.Error(err)
	}
	if got := words(); got != "start quiesce resume" {
		t.Error(got)
	}
}

func TestServicesThatCannotBeToldToGoOnAreStartedAnew(t *testing.T) {
	pauses := hookPauses
	hookPauses = []time.Duration{time.Millisecond}
	t.Cleanup(func() { hookPauses = pauses })
	g, words := newQuietGuest(t, "true")
	g.description.Hooks["resume"] = instance.Hook{Command: []string{"false"}, TimeoutMs: 5000}

	_, _ = g.quiesce(quiesceRequest{})
	answer, _ := g.resume(nothing{})

	if !answer.Held {
		t.Error("they were held")
	}
	until(t, g, func(Status) bool { return words() == "start quiesce freeze:/data thaw:/data start" })
}

func TestAGuestThatIsStoppedGoesOnFirst(t *testing.T) {
	g, words := newQuietGuest(t, "true")

	_, _ = g.quiesce(quiesceRequest{})
	g.Stop(patience)
	<-g.Over()

	if got := words(); got != "start quiesce freeze:/data thaw:/data resume" {
		t.Error(got)
	}
	if _, err := g.quiesce(quiesceRequest{}); err == nil {
		t.Error("it is stopping")
	}
}
