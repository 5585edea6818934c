package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheLogIsSetAsideAtItsSize(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o007))
	path := filepath.Join(t.TempDir(), "log")
	log := New(path, 10, 2)
	for i := 0; i < 5; i++ {
		log.write([]byte(fmt.Sprintf("line %d\n", i)))
	}
	log.close()
	for name, want := range map[string]string{"": "line 4\n", ".1": "line 3\n", ".2": "line 2\n", ".3": ""} {
		got, _ := os.ReadFile(path + name)
		if string(got) != want {
			t.Errorf("log%s: %q", name, got)
		}
	}
	state, _ := os.Stat(path)
	if state.Mode().Perm() != 0o660 {
		t.Errorf("%v", state.Mode())
	}
}

func TestALogThatExistsGoesOnAndCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	_ = os.WriteFile(path, []byte("before\n"), 0o600)
	log := New(path, 10, 1)
	log.CopyFrom(strings.NewReader("a\n"))
	log.CopyFrom(strings.NewReader("more\n"))
	got, _ := os.ReadFile(path)
	aside, _ := os.ReadFile(path + ".1")
	if string(got) != "more\n" || string(aside) != "before\na\n" {
		t.Errorf("%q %q", got, aside)
	}
}

func TestWhatFindsNoRoomIsCountedAndTheCountWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	_ = os.Symlink("/dev/full", path) // every write fails as on a full disk
	log := New(path, 1000, 1)
	log.write([]byte("lost"))
	log.write([]byte("lost, too"))
	log.close()
	_ = os.Remove(path)
	log.write([]byte("kept\n"))
	log.close()
	got, _ := os.ReadFile(path)
	if string(got) != "\nsheaf: 13 bytes of the log were dropped here, the disk was full\nkept\n" {
		t.Errorf("%q", got)
	}
}

func TestTheLogWaitsForItsFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "later")
	log := New(filepath.Join(folder, "log"), 1000, 1)
	log.write([]byte("lost"))
	_ = os.Mkdir(folder, 0o700)
	log.write([]byte("kept\n"))
	log.close()
	got, _ := os.ReadFile(filepath.Join(folder, "log"))
	if !strings.HasSuffix(string(got), "4 bytes of the log were dropped here, the disk was full\nkept\n") {
		t.Errorf("%q", got)
	}
}
