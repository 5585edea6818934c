package main

import (
	"encoding/json"
	"errors"
	"os"

	"sheaf/kit/internal/files"
)

// giftsPath is where a host leaves what a container shall start with, before it is started.
const giftsPath = "/etc/sheaf/gifts.json"

// gifts are the files of an instance and its address; the files' owners are names that only the image knows.
type gifts struct {
	Address string       `json:"address"`
	Files   []files.File `json:"files"`
}

// takeGifts lays the files where they belong, once: a container that starts again has them, and may have been given others
// since. @returns the instance's address
func takeGifts(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	var given gifts
	if err == nil {
		err = json.Unmarshal(text, &given)
	}
	if err != nil || len(given.Files) == 0 {
		return given.Address, err
	}
	for _, file := range given.Files {
		if _, err := files.Write(file); err != nil {
			return given.Address, err
		}
	}
	rest, err := json.Marshal(gifts{Address: given.Address, Files: []files.File{}})
	if err != nil {
		return given.Address, err
	}
	_, err = files.Write(files.File{Path: path, Content: string(rest), Permissions: "0600"})
	return given.Address, err
}
