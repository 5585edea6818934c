package accounts

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestFind(t *testing.T) {
	folder := t.TempDir()
	passwd, group := filepath.Join(folder, "passwd"), filepath.Join(folder, "group")
	write(t, passwd, "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34:w:/var/www:/bin/false\nbad:x:no:1::/:\n")
	write(t, group, "root:x:0:\nweb:x:34:\nadm:x:4:syslog,web\ntape:x:26:web\n")
	for owner, want := range map[string]Account{
		"":        {"root", 0, 0, []uint32{0}, "/root"},
		"root":    {"root", 0, 0, []uint32{0}, "/root"},
		"web":     {"web", 33, 34, []uint32{34, 4, 26}, "/var/www"},
		"33":      {"web", 33, 34, []uint32{34, 4, 26}, "/var/www"},
		"web:adm": {"web", 33, 4, []uint32{4, 4, 26}, "/var/www"},
		"root:34": {"root", 0, 34, []uint32{34}, "/root"},
		"1234":    {"1234", 1234, 0, []uint32{0}, "/"},
	} {
		got, err := find(owner, passwd, group)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", owner, got, err)
		}
	}
	for _, owner := range []string{"nobody", "web:nobody", "bad", "-1"} {
		if got, err := find(owner, passwd, group); err == nil {
			t.Errorf("%q is %+v", owner, got)
		}
	}
}

func TestAnImageWithoutAccountsHasARoot(t *testing.T) {
	got, err := find("root:root", "/nowhere", "/nowhere")
	if err != nil || got.ID != 0 || got.Group != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
