// Package accounts resolves names of users and groups by the image's own /etc/passwd and /etc/group.
package accounts

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Account is who a program runs as, or who owns a file.
type Account struct {
	Name   string
	ID     uint32
	Group  uint32
	Groups []uint32
	Home   string
}

var root = Account{Name: "root", Home: "/root"}

// Find resolves `user` or `user:group`, by name or by number; "" is root.
func Find(owner string) (Account, error) {
	return find(owner, "/etc/passwd", "/etc/group")
}

func find(owner, passwd, group string) (Account, error) {
	user, groupName, hasGroup := strings.Cut(owner, ":")
	account, err := findUser(user, passwd)
	if err != nil {
		return Account{}, err
	}
	if hasGroup {
		if account.Group, err = findGroup(groupName, group); err != nil {
			return Account{}, err
		}
	}
	account.Groups = append([]uint32{account.Group}, groupsOf(account.Name, group)...)
	return account, nil
}

func findUser(user, passwd string) (Account, error) {
	if user == "" || user == "root" || user == "0" {
		return root, nil // an image without /etc/passwd has a root, too
	}
	var found *Account
	eachLine(passwd, 6, func(fields []string) {
		if found != nil || (fields[0] != user && fields[2] != user) {
			return
		}
		id, idOk := number(fields[2])
		group, groupOk := number(fields[3])
		if idOk && groupOk {
			found = &Account{Name: fields[0], ID: id, Group: group, Home: fields[5]}
		}
	})
	if found != nil {
		return *found, nil
	}
	if id, ok := number(user); ok {
		return Account{Name: user, ID: id, Home: "/"}, nil // the group is root's, as container engines have it
	}
	return Account{}, fmt.Errorf("the image has no user %s", user)
}

func findGroup(name, group string) (uint32, error) {
	if id, ok := number(name); ok {
		return id, nil
	}
	if name == "root" {
		return 0, nil
	}
	var id uint32
	var isFound bool
	eachLine(group, 3, func(fields []string) {
		if fields[0] == name && !isFound {
			id, isFound = number(fields[2])
		}
	})
	if !isFound {
		return 0, fmt.Errorf("the image has no group %s", name)
	}
	return id, nil
}

// groupsOf lists the further groups that a user is a member of.
func groupsOf(user, group string) []uint32 {
	var groups []uint32
	eachLine(group, 4, func(fields []string) {
		for _, member := range strings.Split(fields[3], ",") {
			if id, ok := number(fields[2]); ok && member == user {
				groups = append(groups, id)
			}
		}
	})
	return groups
}

func eachLine(path string, fields int, visit func([]string)) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if parts := strings.Split(lines.Text(), ":"); len(parts) >= fields {
			visit(parts)
		}
	}
}

func number(text string) (uint32, bool) {
	value, err := strconv.ParseUint(text, 10, 32)
	return uint32(value), err == nil
}
