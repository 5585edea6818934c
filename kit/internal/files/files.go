// Package files writes the files that a host gives to a guest.
package files

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"sheaf/kit/internal/accounts"
)

// File is a file as cloud-init's write_files describes it.
type File struct {
	Path        string `json:"path"`
	Content     string `json:"content"`
	Encoding    string `json:"encoding"`
	Permissions string `json:"permissions"`
	Owner       string `json:"owner"`
}

// Bytes gives the content that the file shall have.
func (f File) Bytes() ([]byte, error) {
	switch f.Encoding {
	case "":
		return []byte(f.Content), nil
	case "b64", "base64":
		return base64.StdEncoding.DecodeString(f.Content)
	default:
		return nil, fmt.Errorf("%s: encoding %q", f.Path, f.Encoding)
	}
}

// Write brings a file to its content, mode and owner. @returns whether anything was different
func Write(f File) (bool, error) {
	content, err := f.Bytes()
	if err != nil {
		return false, err
	}
	mode, err := strconv.ParseUint(orElse(f.Permissions, "0644"), 8, 12)
	if err != nil {
		return false, fmt.Errorf("%s: permissions %q", f.Path, f.Permissions)
	}
	owner, err := accounts.Find(f.Owner)
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.Path, err)
	}
	if !filepath.IsAbs(f.Path) {
		return false, fmt.Errorf("%s: not an absolute path", f.Path)
	}
	if isSame(f.Path, content, uint32(mode), owner) {
		return false, nil
	}
	return true, replace(f.Path, content, uint32(mode), owner)
}

func isSame(path string, content []byte, mode uint32, owner accounts.Account) bool {
	var s syscall.Stat_t
	if syscall.Lstat(path, &s) != nil || s.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return false
	}
	if s.Mode&0o7777 != mode || s.Uid != owner.ID || s.Gid != owner.Group || s.Size != int64(len(content)) {
		return false
	}
	present, err := os.ReadFile(path)
	return err == nil && bytes.Equal(present, content)
}

// replace writes beside and renames, so that nobody ever reads half a file.
func replace(path string, content []byte, mode uint32, owner accounts.Account) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	beside, err := os.CreateTemp(folder, ".sheaf-")
	if err != nil {
		return err
	}
	defer os.Remove(beside.Name()) // does nothing once it was renamed
	_, err = beside.Write(content)
	if err == nil {
		err = beside.Chown(int(owner.ID), int(owner.Group))
	}
	if err == nil {
		err = syscall.Fchmod(int(beside.Fd()), mode) // after chown, which clears set-id bits
	}
	if err == nil {
		err = beside.Sync()
	}
	if closing := beside.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(beside.Name(), path)
	}
	if errors.Is(err, syscall.EBUSY) {
		return overwrite(path, content) // container engines mount some files of /etc over those of the image
	}
	return err
}

// overwrite changes the content of a file that cannot be replaced.
func overwrite(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if closing := file.Close(); err == nil {
		err = closing
	}
	return err
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
