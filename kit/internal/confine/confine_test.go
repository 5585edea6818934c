package confine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// TestMain lets this program be three things: the tests, a machine about to be confined, and a QEMU that was taken over.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "inside" {
		fmt.Println(Enter())
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == "attack" {
		attack(os.Args[2:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const attacker = 1_999_999_999

// world is a piece of a host that a machine must not reach.
type world struct {
	folder, secret, namespace string
	listener                  net.Listener
	hidden                    *net.UnixListener
}

func TestAMachineThatWasTakenOverReachesNothingOfTheHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root here")
	}
	if _, _, code := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0); code == syscall.ENOTSUP {
		t.Fatal("linked with libc, where no rights can be given up in all threads; test it as it is built, with CGO_ENABLED=0")
	}
	w := openWorld(t)
	leaked, err := syscall.Open(w.secret, syscall.O_RDONLY, 0) // as a careless caller leaves it
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leaked)

	got := w.run(t, Machine{
		Command: []string{
			executable(t), "attack", w.folder, w.secret, w.listener.Addr().String(), w.hidden.Addr().String(),
			strconv.Itoa(os.Getpid()),
		},
		Tap: "victim", User: attacker,
		Files:     []File{{Path: w.folder, IsWritable: true}, {Path: filepath.Join(w.folder, "disk")}, {Path: executable(t)}},
		FileBytes: 1 << 20,
		Threads:   256,
	})

	var report map[string]string
	if err := json.Unmarshal(got, &report); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if !reflect.DeepEqual(report, want) {
		for name, value := range report {
			if want[name] != value {
				t.Errorf("%s: %q, not %q", name, value, want[name])
			}
		}
		if len(report) != len(want) {
			t.Errorf("%d attempts, not %d", len(report), len(want))
		}
	}
	if text, err := os.ReadFile(filepath.Join(w.folder, "disk")); err != nil || string(text) != "disk" {
		t.Errorf("the disk that is shown twice: %q %v", text, err)
	}
}

func TestHalfADescriptionStartsNothing(t *testing.T) {
	for _, text := range []string{"", "{", `{"command":["true"]`, `{"command":[]}`, "null"} {
		if m, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q: %v", text, m)
		}
	}
}

// want is what each attempt must come to: first while QEMU still opens its files as root, then as it goes on.
var want = map[string]string{
	"root: a file of the host":    "ENOENT",
	"root: the host's root":       "bin dev etc lib lib64 opt sbin tmp usr",
	"root: other processes":       "pid 1, parent 0",
	"root: a signal to the host":  "ESRCH",
	"root: tracing a process":     "ESRCH",
	"root: a program of the host": "EROFS",
	"root: its disk":              "EROFS",
	"root: a device":              "EPERM",
	"root: a mount":               "EPERM",
	"root: another namespace":     "EPERM",
	"root: the host's name":       "EPERM",
	"root: network devices":       "lo down",
	"root: the host's network":    "ENETUNREACH",
	"root: a raw socket":          "EPERM",
	"root: a packet socket":       "EPERM",
	"root: an abstract socket":    "ECONNREFUSED",
	"root: another tap":           "ENOENT",
	"root: its own tap":           "victim",
	"root: descriptors":           "0 1 2 3",
	"root: a core dump":           "0",
	"root: a large file":          "1048576",
	"root: more files":            "1024",
	"root: a terminal":            "ENOENT",
	"user: root again":            "EPERM",
	"user: a namespace of users":  "EPERM",
	"user: its own folder":        "EACCES",
	"user: out of its folder":     "EACCES",
	"user: rights":                "0000000000000000",
	"user: a program":             "EACCES",
	"user: tracing a process":     "ESRCH",
	"user: a device":              "EACCES",
}

func openWorld(t *testing.T) *world {
	t.Helper()
	w := &world{folder: t.TempDir()}
	w.secret = filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(w.secret, []byte("secret"), 0o644))
	must(t, os.WriteFile(filepath.Join(w.folder, "disk"), []byte("disk"), 0o600))
	must(t, os.Chmod(w.folder, 0o700))
	var err error
	w.listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.hidden, err = net.ListenUnix("unix", &net.UnixAddr{Name: "@sheaf-test-" + strconv.Itoa(os.Getpid()), Net: "unix"})
	must(t, err)
	t.Cleanup(func() { w.listener.Close(); w.hidden.Close() })
	name := fmt.Sprintf("sheaf-confine-%d", os.Getpid())
	ip(t, "netns", "add", name)
	t.Cleanup(func() { ip(t, "netns", "delete", name) })
	ip(t, "-n", name, "tuntap", "add", "dev", "victim", "mode", "tap")
	w.namespace = "/run/netns/" + name
	return w
}

func (w *world) run(t *testing.T, m Machine) []byte {
	t.Helper()
	read, write, err := os.Pipe()
	must(t, err)
	defer read.Close()
	if m.Tap != "" {
		enterNetwork(t, w.namespace)
	}
	process, err := m.Start(write, "inside")
	write.Close()
	must(t, err)
	said, _ := io.ReadAll(read)
	if _, err := process.Wait(); err != nil {
		t.Error(err)
	}
	return bytes.TrimSpace(said)
}

// attack does what a QEMU does, and at each stage tries what a hostile one would.
func attack(arguments []string) {
	folder, secret, address, hidden := arguments[0], arguments[1], arguments[2], arguments[3]
	pid, _ := strconv.Atoi(arguments[4])
	report := map[string]string{}
	try := func(name string, err error) { report[name] = errorName(err) }

	_, err := os.ReadFile(secret)
	try("root: a file of the host", err)
	report["root: the host's root"] = names("/")
	report["root: other processes"] = fmt.Sprintf("pid %d, parent %d", os.Getpid(), os.Getppid())
	try("root: a signal to the host", syscall.Kill(pid, 0))
	try("root: tracing a process", syscall.PtraceAttach(pid))
	try("root: a program of the host", os.WriteFile("/usr/bin/env", nil, 0o755))
	try("root: its disk", os.WriteFile(folder+"/disk", nil, 0o644))
	try("root: a device", syscall.Mknod(folder+"/disk0", syscall.S_IFBLK|0o600, 8<<8))
	try("root: a mount", syscall.Mount("t", folder, "tmpfs", 0, ""))
	try("root: another namespace", syscall.Unshare(syscall.CLONE_NEWNET))
	try("root: the host's name", syscall.Sethostname([]byte("taken")))
	report["root: network devices"] = devices()
	_, err = net.Dial("tcp", address)
	try("root: the host's network", err)
	_, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	try("root: a raw socket", err)
	_, err = syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0)
	try("root: a packet socket", err)
	_, err = net.Dial("unix", hidden)
	try("root: an abstract socket", err)
	_, err = syscall.Open("/dev/net/tun", syscall.O_RDWR, 0)
	try("root: another tap", err)
	report["root: its own tap"] = tapName(3)
	report["root: descriptors"] = descriptors()
	report["root: a core dump"] = limit(syscall.RLIMIT_CORE)
	report["root: a large file"] = limit(syscall.RLIMIT_FSIZE)
	report["root: more files"] = limit(syscall.RLIMIT_NOFILE)
	_, err = syscall.Open("/dev/tty", syscall.O_RDWR, 0)
	try("root: a terminal", err)

	// as by -chroot and -runas
	if err := syscall.Chroot(folder); err != nil {
		fmt.Println(err)
		return
	}
	_ = os.Chdir("/")
	if err := Become(attacker); err != nil {
		fmt.Println(err)
		return
	}
	try("user: root again", syscall.Setuid(0))
	_, err = syscall.ForkExec("/", []string{"/"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}})
	try("user: a namespace of users", err)
	_, err = os.ReadDir("/")
	try("user: its own folder", err)
	try("user: out of its folder", syscall.Chroot(".."))
	report["user: rights"] = rights()
	try("user: a program", syscall.Exec("/usr/bin/env", []string{"env"}, nil))
	try("user: tracing a process", syscall.PtraceAttach(pid))
	_, err = syscall.Open("/dev/urandom", syscall.O_RDONLY, 0)
	try("user: a device", err)
	text, _ := json.Marshal(report)
	fmt.Println(string(text))
}

func errorName(err error) string {
	names := map[syscall.Errno]string{
		syscall.ENOENT: "ENOENT", syscall.EPERM: "EPERM", syscall.EROFS: "EROFS", syscall.ESRCH: "ESRCH",
		syscall.ENETUNREACH: "ENETUNREACH", syscall.ECONNREFUSED: "ECONNREFUSED", syscall.EACCES: "EACCES",
	}
	var code syscall.Errno
	if errors.As(err, &code) && names[code] != "" {
		return names[code]
	}
	return fmt.Sprint(err)
}

func names(folder string) string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, entry := range entries {
		// what only some hosts have
		if name := entry.Name(); name != "lib32" && name != "libx32" && name != "nix" {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

func devices() string {
	list, err := net.Interfaces()
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, device := range list {
		state := "down"
		if device.Flags&net.FlagUp != 0 {
			state = "up"
		}
		all = append(all, device.Name+" "+state)
	}
	return strings.Join(all, ", ")
}

func descriptors() string {
	var all []string
	for fd := 0; fd < 1024; fd++ {
		flags, _, code := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if code == 0 && flags&syscall.FD_CLOEXEC == 0 { // this program's own are closed at exec
			all = append(all, strconv.Itoa(fd))
		}
	}
	return strings.Join(all, " ")
}

func limit(kind int) string {
	var l syscall.Rlimit
	_ = syscall.Getrlimit(kind, &l)
	return strconv.FormatUint(l.Max, 10)
}

func rights() string {
	var header = struct{ version, pid uint32 }{0x20080522, 0}
	var sets [2]struct{ effective, permitted, inheritable uint32 }
	_, _, code := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0)
	if code != 0 {
		return code.Error()
	}
	return fmt.Sprintf("%08x%08x", sets[1].permitted, sets[0].permitted)
}

func tapName(fd int) string {
	const tunGetIff = 0x800454d2
	var request [40]byte
	if _, _, code := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunGetIff, uintptr(unsafe.Pointer(&request))); code != 0 {
		return code.Error()
	}
	return string(bytes.TrimRight(request[:syscall.IFNAMSIZ], "\x00"))
}

// enterNetwork moves this thread, which ends with the test, into the network that a file names.
func enterNetwork(t *testing.T, path string) {
	t.Helper()
	const sysSetns = 308
	runtime.LockOSThread()
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	if _, _, code := syscall.RawSyscall(sysSetns, file.Fd(), syscall.CLONE_NEWNET, 0); code != 0 {
		t.Fatal(code)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	must(t, err)
	return path
}

func ip(t *testing.T, arguments ...string) {
	t.Helper()
	if output, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %s", arguments, output)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
