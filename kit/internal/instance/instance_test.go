package instance

import (
	"strings"
	"testing"
)

func TestParseFillsWhatIsLeftOut(t *testing.T) {
	d, err := Parse([]byte(`{"version":1,"services":[{"name":"web","command":["x"]}],
		"hooks":{"init":{"command":["y"]}},"health":{"probe":{"kind":"tcp","port":80}},
		"files":[{"path":"/etc/x","onChange":"web"}],"later":true}`))
	if err != nil {
		t.Fatal(err)
	}
	web := d.Services[0]
	if web.Stop.Signal != "TERM" || web.Stop.TimeoutMs != 10_000 || web.Directory != "/" {
		t.Errorf("service: %+v", web)
	}
	if d.Hooks["init"].TimeoutMs != 60_000 {
		t.Errorf("hook: %+v", d.Hooks["init"])
	}
	if h := d.Health; h.IntervalMs != 5_000 || h.TimeoutMs != 2_000 || h.Failures != 1 {
		t.Errorf("health: %+v", h)
	}
	if d.FollowerOf("/etc/x") != "web" || d.FollowerOf("/etc/y") != "" {
		t.Error("the follower of a file is not found")
	}
}

func TestParseRefuses(t *testing.T) {
	for text, reason := range map[string]string{
		`{`:             "unexpected end",
		`{"version":2}`: "version 2",
		`{"version":1,"services":[{"name":"../x","command":["x"]}]}`:                                                                                                  "service name",
		`{"version":1,"services":[{"name":"a","command":["x"]},{"name":"a","command":["x"]}]}`:                                                                        "twice",
		`{"version":1,"services":[{"name":"a","command":[]}]}`:                                                                                                        "no command",
		`{"version":1,"services":[{"name":"a","command":["x"],"after":["b"]}]}`:                                                                                       "not there",
		`{"version":1,"services":[{"name":"a","command":["x"],"after":["b"]},{"name":"b","command":["x"],"after":["c"]},{"name":"c","command":["x"],"after":["b"]}]}`: "after itself",
		`{"version":1,"services":[{"name":"a","command":["x"],"stop":{"signal":"NO"}}]}`:                                                                              "no signal",
		`{"version":1,"services":[{"name":"a","command":["x"],"reload":{"signal":""}}]}`:                                                                              "no signal",
		`{"version":1,"volumes":[{"name":"a","mount":"data"}]}`:                                                                                                       "volume",
		`{"version":1,"volumes":[{"name":"a/b","mount":"/data"}]}`:                                                                                                    "volume",
		`{"version":1,"hooks":{"init":{"command":[]}}}`:                                                                                                               "hook init",
		`{"version":1,"health":{"probe":{"kind":"tcp","port":0}}}`:                                                                                                    "port 0",
		`{"version":1,"health":{"probe":{"kind":"command"}}}`:                                                                                                         "no command",
		`{"version":1,"health":{"probe":{"kind":"pray"}}}`:                                                                                                            "pray",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, not %q", text, err, reason)
		}
	}
}
