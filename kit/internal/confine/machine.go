// Package confine runs a virtual machine's QEMU so that whoever takes it over holds nothing but that machine.
package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// Machine is what to run, and all that it may have.
type Machine struct {
	// Command is the program and its arguments. Descriptor 3 is the tap, when there is one.
	Command []string `json:"command"`
	// Tap is a device in the caller's network.
	Tap string `json:"tap"`
	// Files are the only ones of the host that it sees, beside the system's programs and libraries.
	Files []File `json:"files"`
	// User is who the program makes itself when it has opened its files; 0 when it stays who it is, and needs no rights.
	User int `json:"user"`
	// Groups are the files by which a process joins its control groups.
	Groups []string `json:"groups"`
	Boot   Boot     `json:"boot"`
	// FileBytes is the size beyond which it can write no file; 0 for none.
	FileBytes uint64 `json:"fileBytes"`
	// Threads is how many its user may have; 0 for any number.
	Threads uint64 `json:"threads"`
}

// File is a file, a folder or a device, under the path that it has on the host.
type File struct {
	Path       string `json:"path"`
	IsWritable bool   `json:"isWritable"`
}

const largestDescription = 1 << 20

// Read reads a description to its end; half of one is an error.
func Read(from io.Reader) (Machine, error) {
	var m Machine
	text, err := io.ReadAll(io.LimitReader(from, largestDescription))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err == nil && len(m.Command) == 0 {
		err = errors.New("no command")
	}
	return m, err
}

// Start starts a machine in namespaces of its own: it sees no process, no network device and no file that is not its own.
// What it writes goes to output. It is killed with its parent until it has changed its user.
//
// inside are the arguments with which this program calls Enter.
func (m Machine) Start(output *os.File, inside ...string) (*os.Process, error) {
	runtime.LockOSThread() // for good: the machine is killed when the thread that started it ends
	for _, group := range m.Groups {
		if err := os.WriteFile(group, []byte("0"), 0); err != nil {
			return nil, err
		}
	}
	description, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	defer read.Close()
	files := []*os.File{read, output, output}
	if m.Tap != "" {
		tap, err := openTap(m.Tap)
		if err != nil {
			return nil, fmt.Errorf("tap %s: %w", m.Tap, err)
		}
		defer tap.Close()
		files = append(files, tap)
	}
	process, err := os.StartProcess("/proc/self/exe", append([]string{os.Args[0]}, inside...), &os.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"},
		Files: files,
		Sys:   m.apart(),
	})
	if err != nil {
		return nil, err
	}
	if _, err := write.Write(description); err != nil {
		_ = process.Kill()
		return nil, err
	}
	return process, nil
}

// apart gives the namespaces of a machine. One that stays who it is gets one of users too, unless that user is the host's
// root: it needs it where it has no rights, and cannot make another one there.
func (m Machine) apart() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{
		Setsid:    true,
		Pdeathsig: syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWNET,
	}
	if m.User == 0 && !isHostRoot() {
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attributes
}

// isHostRoot tells whether this is root where all users are: a namespace of users has a map of its own.
func isHostRoot() bool {
	users, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && os.Geteuid() == 0 && strings.Join(strings.Fields(string(users)), " ") == "0 0 4294967295"
}

// Enter becomes the program of the machine that standard input describes. It returns only when that failed.
func Enter() error {
	runtime.LockOSThread()
	m, err := Read(os.Stdin)
	if err != nil {
		return fmt.Errorf("description: %w", err)
	}
	program, err := exec.LookPath(m.Command[0])
	if err != nil {
		return fmt.Errorf("failed to execute %s: %w", m.Command[0], err)
	}
	// a machine goes before the programs of the host when memory runs out
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("300"), 0); err != nil {
		return err
	}
	// further namespaces of users would give back rights inside of them; where this cannot be written they stay possible
	if m.User == 0 && !isHostRoot() {
		_ = os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0)
	}
	if err := enterView(m.Files); err != nil {
		return err
	}
	if err := giveUp(m); err != nil {
		return err
	}
	first := uintptr(3)
	if m.Tap != "" {
		first++
	}
	if err := closeAtExec(first); err != nil {
		return err
	}
	null, err := os.Open("/dev/null")
	if err != nil {
		return err
	}
	if err := syscall.Dup3(int(null.Fd()), 0, 0); err != nil {
		return err
	}
	err = syscall.Exec(program, m.Command, os.Environ())
	return fmt.Errorf("failed to execute %s: %w", m.Command[0], err)
}
