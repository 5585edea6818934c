package console

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// pieces gives a text in reads of its own.
type pieces []string

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, errors.New("end")
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; (*p)[0] == "" {
		*p = (*p)[1:]
	}
	return n, nil
}

func TestFollow(t *testing.T) {
	long := strings.Repeat("x", longestLine)
	for _, c := range []struct {
		in   pieces
		want string
	}{
		{pieces{"a\nb\n"}, "s: a\ns: b\n"},
		{pieces{"a", "b\nc", "\n"}, "s: ab\ns: c\n"},
		{pieces{"no end"}, "s: no end\n"},
		{pieces{"\n\x1b[1m\r\n"}, "s: \ns: \x1b[1m\r\n"},
		{pieces{long + "y\n"}, "s: " + long + "\ns: y\n"},
		{nil, ""},
	} {
		var out bytes.Buffer
		New(&out).Follow("s", &c.in)
		if out.String() != c.want {
			t.Errorf("%q", out.String())
		}
	}
}
