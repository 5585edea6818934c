package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRulesThatAreNotThereOpenNothing(t *testing.T) {
	rules, err := ReadRules(filepath.Join(t.TempDir(), "none"))

	if err != nil || len(rules.Ways) != 0 {
		t.Errorf("%+v %v", rules, err)
	}
}

func TestRulesAreReadOrRefusedAsAWhole(t *testing.T) {
	way := `{"leads":"in","address":"10.84.0.3","transport":"tcp","port":80}`
	for text, isGood := range map[string]bool{
		`{"address":"10.84.0.2","ways":[` + way + `]}`:                                  true,
		`{"address":"10.84.0.2","ways":[` + way:                                         false,
		`{"address":"10.84.0.2","ways":[],"inner":"10.84.0.0/24"}`:                      true,
		`{"address":"10.84.0.2","ways":[],"inner":"fd00::/8"}`:                          false,
		`{"ways":[` + way + `]}`:                                                        false,
		`{"address":"fd00::2","ways":[` + way + `]}`:                                    false,
		`{"address":"10.84.0.2","ways":[` + strings.Replace(way, "80", "0", 1) + `]}`:   false,
		`{"address":"10.84.0.2","ways":[` + strings.Replace(way, "tcp", "ip", 1) + `]}`: false,
		`{"address":"10.84.0.2","ways":[` + strings.Replace(way, "in", "by", 1) + `]}`:  false,
	} {
		file := filepath.Join(t.TempDir(), "rules")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		_, err := ReadRules(file)

		if (err == nil) != isGood {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAttributesAreAligned(t *testing.T) {
	if got := len(text(1, "ab")); got != 8 {
		t.Error(got)
	}
	if got := len(attribute(1, text(1, "abc"), number(2, 1))); got != 20 {
		t.Error(got)
	}
}
