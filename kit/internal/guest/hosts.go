package guest

import (
	"strings"

	"sheaf/kit/internal/files"
	"sheaf/kit/internal/instance"
)

// writeHosts writes /etc/hosts: this machine, and every name that the description gives.
func (g *Guest) writeHosts() error {
	g.mu.Lock()
	text := hostsText(g.hostname, g.address, g.description.Hosts)
	g.mu.Unlock()
	_, err := files.Write(files.File{Path: "/etc/hosts", Content: text, Permissions: "0644"})
	return err
}

func hostsText(hostname, address string, hosts []instance.Host) string {
	var text strings.Builder
	text.WriteString("127.0.0.1 localhost\n")
	switch {
	case hostname == "":
	case address == "":
		text.WriteString("127.0.1.1 " + hostname + "\n")
	default:
		text.WriteString(address + " " + hostname + "\n")
	}
	for _, host := range hosts {
		for _, peer := range host.Addresses {
			text.WriteString(peer + " " + host.Name + "\n")
		}
	}
	return text.String()
}
