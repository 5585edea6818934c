package process

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"syscall"

	"sheaf/kit/internal/accounts"
)

// Command is a program to start. A nil file stands for /dev/null.
type Command struct {
	// Label names the program's control group; letters, digits, hyphens.
	Label       string
	Args        []string
	Environment map[string]string
	// User is a name of the image, or user:group; root when empty.
	User      string
	Directory string
	Stdin     *os.File
	Stdout    *os.File
	Stderr    *os.File
}

// StartError is a program that could not be started, with the code that a shell would give.
type StartError struct {
	ExitCode int
	Message  string
}

func (e *StartError) Error() string { return e.Message }

const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// DefaultPath is where programs are looked for; the kit's own tools come last.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/sheaf/bin"

// Start starts a program in a session and a control group of its own. @returns a *StartError when it cannot be started
func (t *Table) Start(c Command) (*Process, error) {
	account, err := accounts.Find(c.User)
	if err != nil {
		return nil, &StartError{exitNotExecutable, err.Error()}
	}
	environment := environmentOf(c, account)
	program, err := find(c.Args[0], environment["PATH"])
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, &StartError{exitNotExecutable, err.Error()}
	}
	defer null.Close()
	attributes := &syscall.ProcAttr{
		Dir:   c.Directory,
		Env:   listOf(environment),
		Files: []uintptr{fdOf(c.Stdin, null), fdOf(c.Stdout, null), fdOf(c.Stderr, null)},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	if c.Directory != "" {
		// images name working folders that they do not hold; that it cannot be made, the start itself will tell
		_ = os.MkdirAll(c.Directory, 0o755)
	}
	if account.ID != 0 || account.Group != 0 {
		// a program may open /dev/stdout anew, which is asked for its owner
		for _, output := range []*os.File{c.Stdout, c.Stderr} {
			if output != nil {
				_ = output.Chown(int(account.ID), int(account.Group))
			}
		}
		attributes.Sys.Credential = &syscall.Credential{Uid: account.ID, Gid: account.Group, Groups: account.Groups}
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	p := &Process{table: t, done: make(chan struct{})}
	p.group, err = t.groups.within(c.Label, func() (err error) {
		p.pid, err = syscall.ForkExec(program, c.Args, attributes)
		return err
	})
	if err != nil {
		return nil, startError(c, err)
	}
	t.children[p.pid] = p
	return p, nil
}

func startError(c Command, err error) error {
	code := exitNotExecutable
	if errors.Is(err, syscall.ENOENT) {
		code = exitNotFound
	}
	message := fmt.Sprintf("%s: %s", c.Args[0], err)
	if _, missing := os.Stat(c.Directory); c.Directory != "" && missing != nil {
		message = fmt.Sprintf("%s: folder %s: %s", c.Args[0], c.Directory, err)
	}
	return &StartError{code, message}
}

// find looks a program up as a shell does. A name with a slash is taken as it is.
func find(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, folder := range strings.Split(path, ":") {
		file := folder + "/" + name
		if s, err := os.Stat(file); err == nil && s.Mode().IsRegular() && s.Mode().Perm()&0o111 != 0 {
			return file, nil
		}
	}
	return "", &StartError{exitNotFound, name + ": not found"}
}

func environmentOf(c Command, account accounts.Account) map[string]string {
	environment := map[string]string{
		"PATH": DefaultPath,
		"HOME": account.Home,
		"USER": account.Name,
		"LANG": "C.UTF-8",
	}
	for name, value := range c.Environment {
		environment[name] = value
	}
	return environment
}

func listOf(environment map[string]string) []string {
	list := make([]string, 0, len(environment))
	for name, value := range environment {
		list = append(list, name+"="+value)
	}
	sort.Strings(list)
	return list
}

func fdOf(file, otherwise *os.File) uintptr {
	if file == nil {
		return otherwise.Fd()
	}
	return file.Fd()
}
