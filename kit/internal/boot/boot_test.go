package boot

import (
	"strings"
	"testing"

	"sheaf/kit/internal/files"
)

func TestLayersStandHighestFirst(t *testing.T) {
	disks := Disks{"layer0": "/dev/vdc", "layer1": "/dev/vda", "layer2": "/dev/vdb", "layer4": "/dev/vdx", "seed": "/dev/vdd"}
	if got := strings.Join(disks.layers(), " "); got != "/dev/vdb /dev/vda /dev/vdc" {
		t.Error(got)
	}
}

func TestAFolderIsMountedBeforeThoseInsideIt(t *testing.T) {
	for i, p := range late {
		for _, before := range late[i+1:] {
			if strings.HasPrefix(p.target, before.target+"/") {
				t.Errorf("%s stands before %s", p.target, before.target)
			}
		}
	}
}

func TestASeedWithoutADescriptionIsRefused(t *testing.T) {
	if _, err := describe([]files.File{{Path: "/etc/other", Content: "{}"}}); err == nil {
		t.Error("it is taken")
	}
	if _, err := describe([]files.File{{Path: "/etc/sheaf/instance.json", Content: `{"version":1}`}}); err != nil {
		t.Error(err)
	}
}
