package seed

import (
	"reflect"
	"testing"

	"sheaf/kit/internal/files"
)

const (
	meta    = `{"instance-id":"i-1","local-hostname":"web-1"}`
	network = `{"version":2,"ethernets":{"eth0":{"match":{"macaddress":"02:00:00:00:00:01"},
		"addresses":["10.1.0.5/24"],"gateway4":"10.1.0.1","nameservers":{"addresses":[]}}}}`
	user = "#cloud-config\n" + `{"write_files":[{"path":"/a","content":"b","permissions":"0600"}],"ssh_pwauth":false}`
)

func TestParse(t *testing.T) {
	got, err := parse([]byte(meta), []byte(network), []byte(user))
	if err != nil {
		t.Fatal(err)
	}
	link := Link{Addresses: []string{"10.1.0.5/24"}, Gateway4: "10.1.0.1"}
	link.Match.MacAddress = "02:00:00:00:00:01"
	want := &Seed{
		InstanceID: "i-1", Hostname: "web-1", Links: []Link{link},
		Files: []files.File{{Path: "/a", Content: "b", Permissions: "0600"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestParseRefusesWhatIsNotASeed(t *testing.T) {
	for _, text := range [][3]string{
		{"x", network, user},
		{meta, "version: 2", user},
		{meta, network, "#!/bin/sh\necho"},
		{meta, network, "#cloud-config\nwrite_files: []"},
	} {
		if got, err := parse([]byte(text[0]), []byte(text[1]), []byte(text[2])); err == nil {
			t.Errorf("%q gives %+v", text, got)
		}
	}
}
