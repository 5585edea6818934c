package confine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheLimitIsSetWhenTheBootHasUsedItsTime(t *testing.T) {
	for name, boot := range map[string]Boot{
		"processor's time": {CPUMs: 20, WallMs: 60_000},
		"time":             {CPUMs: 60_000, WallMs: 20},
	} {
		boot.File, boot.Value = filepath.Join(t.TempDir(), "cpu.max"), "5000 1000"
		must(t, os.WriteFile(boot.File, []byte("9000 1000\n"), 0o600))
		end, err := boot.End(os.Getpid())
		must(t, err)
		for deadline := time.Now().Add(50 * time.Millisecond); time.Now().Before(deadline); {
		}

		end()

		if text, _ := os.ReadFile(boot.File); strings.TrimSpace(string(text)) != boot.Value {
			t.Errorf("%s: %q", name, text)
		}
	}
}

func TestALimitThatWasChangedDuringTheBootStays(t *testing.T) {
	boot := Boot{File: filepath.Join(t.TempDir(), "cpu.max"), Value: "5000 1000"}
	must(t, os.WriteFile(boot.File, []byte("9000 1000\n"), 0o600))
	end, err := boot.End(os.Getpid())
	must(t, err)
	must(t, os.WriteFile(boot.File, []byte("7000 1000\n"), 0o600))

	end()

	if text, _ := os.ReadFile(boot.File); string(text) != "7000 1000\n" {
		t.Errorf("%q", text)
	}
}
