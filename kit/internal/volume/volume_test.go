package volume

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
)

var key = bytes.Repeat([]byte{7}, 32)

// talk lets a server in a fresh folder answer frames, and gives what it answers.
func talk(t *testing.T, fill func(), requests ...string) []string {
	t.Helper()
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chdir(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chdir(before) })
	fill()
	var out bytes.Buffer
	_ = (&server{newFrames(strings.NewReader(strings.Join(requests, "")), &out)}).run()
	var answers []string
	for out.Len() > 0 {
		var head [5]byte
		_, _ = io.ReadFull(&out, head[:])
		answers = append(answers, string(head[4])+string(out.Next(int(binary.BigEndian.Uint32(head[:])))))
	}
	return answers
}

func frame(kind string, parts ...[]byte) string {
	payload := bytes.Join(parts, nil)
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(payload)))) + kind + string(payload)
}

func rangeOf(path string, first uint64, count uint32) string {
	head := binary.BigEndian.AppendUint64(nil, first)
	return frame("r", binary.BigEndian.AppendUint32(head, count), []byte(path))
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMarksTellBlocksApart(t *testing.T) {
	m := newMarker(key)
	seen := map[[markSize]byte]int{}
	block := make([]byte, blockSize)
	for i := 0; i < 3000; i++ {
		copied := append([]byte{}, block...)
		copied[i*21] = byte(i%255) + 1
		mark, isZero := m.mark(copied)
		if other, isThere := seen[mark]; isThere || isZero {
			t.Fatalf("%d and %d", other, i)
		}
		seen[mark] = i
	}
	one, _ := m.mark([]byte("abc"))
	longer, _ := m.mark([]byte("abc\x00"))
	if one == longer {
		t.Error("a length is not told apart")
	}
	other, _ := newMarker(bytes.Repeat([]byte{8}, 32)).mark([]byte("abc"))
	if one == other {
		t.Error("a key is not told apart")
	}
	if _, isZero := m.mark(make([]byte, 17)); !isZero {
		t.Error("zeros are not seen")
	}
}

func TestAListHasEachFolderBeforeWhatIsInItAndNamesAsBytes(t *testing.T) {
	answers := talk(t, func() {
		_ = os.MkdirAll("a/b", 0o750)
		write(t, "a/b/file", []byte("12345"))
		write(t, "a-", nil)
		write(t, "\xff\n", nil)
		_ = os.Link("a/b/file", "z")
		_ = os.Symlink("/nowhere", "link")
		_ = os.Mkdir("lost+found", 0o700)
	}, frame("L"))
	var entries []entry
	if err := json.Unmarshal([]byte(answers[0][1:]), &entries); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range entries {
		paths = append(paths, e.Path+":"+e.Kind)
	}
	if got := strings.Join(paths, " "); got != ":folder a:folder a/b:folder a/b/file:file a-:file link:symlink z:file \u00ff\n:file" {
		t.Errorf("%q", got)
	}
	if to := entries[6].LinkTo; to == nil || *to != "a/b/file" {
		t.Errorf("%v", to)
	}
	if answers[1] != "Z" {
		t.Errorf("%q", answers[1:])
	}
}

func TestBlocksAreReadToTheEndOfTheFileAndHolesAreToldApart(t *testing.T) {
	answers := talk(t, func() {
		write(t, "file", append(make([]byte, 2*blockSize), "end"...))
	}, frame("R", key), rangeOf("file", 0, 9), rangeOf("none", 0, 1), frame("z"))
	var kinds, sizes []int
	for _, answer := range answers {
		kinds = append(kinds, int(answer[0]))
		sizes = append(sizes, len(answer)-1)
	}
	if string(bytesOfInts(kinds)) != "bbbeeZ" || sizes[0] != 20 || sizes[1] != 20 || sizes[2] != 23 {
		t.Errorf("%s %v", bytesOfInts(kinds), sizes)
	}
	if !strings.HasSuffix(answers[2], "end") {
		t.Errorf("%q", answers[2])
	}
}

func bytesOfInts(list []int) []byte {
	var b []byte
	for _, one := range list {
		b = append(b, byte(one))
	}
	return b
}

func TestChangesThatLeadOutOfTheVolumeAreRefused(t *testing.T) {
	for _, path := range []string{"../x", "a/../../x", "/etc/x", "a//b", ".", "a\x00b"} {
		for _, kind := range []string{"remove", "open", "make", "settle"} {
			c, _ := json.Marshal(map[string]any{"kind": kind, "path": path, "entry": map[string]any{"path": path, "kind": "folder"}})
			answers := talk(t, func() {}, frame("A", key), frame("c", c), frame("z"))
			if len(answers) != 1 || answers[0][0] != 'X' {
				t.Errorf("%s %q: %q", kind, path, answers)
			}
		}
	}
}

func TestABlockIsWrittenOnlyWhereItBelongsAndWhenItIsTheRightOne(t *testing.T) {
	mark := markOrNone(newMarker(key), []byte("hello"))
	open := frame("c", []byte(`{"kind":"open","path":"f","size":5}`))
	first := make([]byte, 8)
	far := binary.BigEndian.AppendUint64(nil, 1)
	for name, c := range map[string]struct {
		frames []string
		isGood bool
	}{
		"right":       {[]string{open, frame("w", first, mark, []byte("hello"))}, true},
		"other bytes": {[]string{open, frame("w", first, mark, []byte("hellO"))}, false},
		"no file":     {[]string{frame("w", first, mark, []byte("hello"))}, false},
		"too far":     {[]string{open, frame("w", far, mark, []byte("hello"))}, false},
	} {
		requests := append(append([]string{frame("A", key)}, c.frames...), frame("z"))
		answers := talk(t, func() {}, requests...)
		if isGood := len(answers) == 1 && answers[0] == "Z"; isGood != c.isGood {
			t.Errorf("%s: %q", name, answers)
		}
	}
}

func TestFramesThatAreTooLongOrUnknownEndTheTalk(t *testing.T) {
	if answers := talk(t, func() {}, frame("?")); len(answers) != 1 || answers[0][0] != 'X' {
		t.Errorf("%q", answers)
	}
	long := string(binary.BigEndian.AppendUint32(nil, mostPayload+1)) + "L"
	if answers := talk(t, func() {}, long); len(answers) != 0 {
		t.Errorf("%q", answers)
	}
}
