package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// runLend gives a running QEMU one more disk, whose file it could not open itself. Its monitor takes the open file, and
// forgets it with the conversation unless a disk uses it by then, so both are asked in one. @returns the exit code
//
// Source: qemu/docs/interop/qmp-spec.txt; add-fd, blockdev-add in qemu/qapi.
func runLend(arguments []string) int {
	flags := flag.NewFlagSet("lend", flag.ContinueOnError)
	path := flags.String("monitor", "", "QEMU's monitor socket")
	name := flags.String("file", "", "a qcow2 file")
	node := flags.String("node", "", "what the disk is called inside QEMU")
	if flags.Parse(arguments) != nil || *path == "" || *name == "" || *node == "" {
		return exitUsage
	}
	if err := lend(*path, *name, *node); err != nil {
		return report("LEND_FAILED", err)
	}
	fmt.Println("lent")
	return 0
}

func lend(path, name, node string) error {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	monitor := monitor{connection, bufio.NewReaderSize(connection, 64<<10)}
	if _, err := monitor.lines.ReadSlice('\n'); err != nil { // its greeting
		return err
	}
	if _, err := monitor.ask("qmp_capabilities", map[string]any{}, nil); err != nil {
		return err
	}
	answer, err := monitor.ask("add-fd", map[string]any{}, syscall.UnixRights(int(file.Fd())))
	if err != nil {
		return err
	}
	var set struct {
		ID int `json:"fdset-id"`
	}
	if err := json.Unmarshal(answer, &set); err != nil {
		return err
	}
	_, err = monitor.ask("blockdev-add", map[string]any{
		"driver": "qcow2", "node-name": node, "backing": nil, "discard": "unmap", "detect-zeroes": "unmap",
		"file": map[string]any{"driver": "file", "filename": fmt.Sprintf("/dev/fdset/%d", set.ID), "discard": "unmap"},
	}, nil)
	return err
}

type monitor struct {
	connection *net.UnixConn
	lines      *bufio.Reader
}

// ask sends a command, with an open file when there are rights. Events are passed over.
func (m monitor) ask(command string, arguments map[string]any, rights []byte) (json.RawMessage, error) {
	text, err := json.Marshal(map[string]any{"execute": command, "arguments": arguments})
	if err != nil {
		return nil, err
	}
	if _, _, err := m.connection.WriteMsgUnix(append(text, '\n'), rights, nil); err != nil {
		return nil, err
	}
	for {
		line, err := m.lines.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			return nil, err
		}
		if answer.Error != nil {
			return nil, errors.New(command + ": " + strings.TrimSpace(answer.Error.Desc))
		}
		if answer.Return != nil {
			return answer.Return, nil
		}
	}
}
