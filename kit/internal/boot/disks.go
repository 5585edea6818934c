package boot

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Disks are block devices by serial number.
type Disks map[string]string

func findDisks() Disks {
	disks := Disks{}
	files, _ := filepath.Glob("/sys/block/*/serial")
	for _, file := range files {
		serial, err := os.ReadFile(file)
		if name := strings.TrimSpace(string(serial)); err == nil && name != "" {
			disks[name] = "/dev/" + filepath.Base(filepath.Dir(file))
		}
	}
	return disks
}

// awaitDisks finds the disks, and waits a moment for the seed, which every machine but a probe has.
func awaitDisks() Disks {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		disks := findDisks()
		if disks["seed"] != "" || time.Since(began) > time.Second {
			return disks
		}
	}
}

// layers lists the image's layers, highest first, as overlayfs wants them.
func (d Disks) layers() []string {
	var list []string
	for i := 0; d["layer"+strconv.Itoa(i)] != ""; i++ {
		list = append([]string{d["layer"+strconv.Itoa(i)]}, list...)
	}
	return list
}
