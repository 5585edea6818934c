package files

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestWriteTellsWhetherAnythingWasDifferent(t *testing.T) {
	owner := owner()
	path := filepath.Join(t.TempDir(), "new/file")
	for _, step := range []struct {
		file File
		want bool
	}{
		{File{Path: path, Content: "one", Permissions: "0640", Owner: owner}, true},
		{File{Path: path, Content: "one", Permissions: "0640", Owner: owner}, false},
		{File{Path: path, Content: "b25l", Encoding: "b64", Permissions: "0640", Owner: owner}, false},
		{File{Path: path, Content: "two", Permissions: "0640", Owner: owner}, true},
		{File{Path: path, Content: "two", Permissions: "0600", Owner: owner}, true},
	} {
		got, err := Write(step.file)
		if err != nil || got != step.want {
			t.Errorf("%+v: %v, %v", step.file, got, err)
		}
	}
	text, _ := os.ReadFile(path)
	state, _ := os.Stat(path)
	if string(text) != "two" || state.Mode().Perm() != 0o600 {
		t.Errorf("%q %v", text, state.Mode())
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteReplacesALinkAndNotWhatItLeadsTo(t *testing.T) {
	folder := t.TempDir()
	target, link := filepath.Join(folder, "target"), filepath.Join(folder, "link")
	_ = os.WriteFile(target, []byte("kept"), 0o600)
	_ = os.Symlink(target, link)

	_, err := Write(File{Path: link, Content: "new", Permissions: "0644", Owner: owner()})

	kept, _ := os.ReadFile(target)
	text, _ := os.ReadFile(link)
	if err != nil || string(kept) != "kept" || string(text) != "new" {
		t.Errorf("%v %q %q", err, kept, text)
	}
}

func TestWriteRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, file := range []File{
		{Path: "relative"},
		{Path: path, Permissions: "rw"},
		{Path: path, Permissions: "77777"},
		{Path: path, Encoding: "gzip"},
		{Path: path, Encoding: "b64", Content: "*"},
		{Path: path, Owner: "nobody-of-this-name"},
		{Path: filepath.Dir(path)},
	} {
		if _, err := Write(file); err == nil {
			t.Errorf("%+v was written", file)
		}
	}
}

// owner is whoever runs the tests, so that they need no rights.
func owner() string {
	return strconv.Itoa(os.Getuid()) + ":" + strconv.Itoa(os.Getgid())
}
