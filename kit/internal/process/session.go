package process

import (
	"bytes"
	"os"
	"strconv"
)

// sessionOf lists the processes of a session.
func sessionOf(leader int) []int {
	entries, _ := os.ReadDir("/proc")
	var members []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile("/proc/" + entry.Name() + "/stat")
		// after the name, which may hold anything: state, parent, group, session
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 3 && string(fields[3]) == strconv.Itoa(leader) {
			members = append(members, pid)
		}
	}
	return members
}
