package privatepg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who the server runs as. initdb and postgres refuse to run as
// root, so root hands them, and the data directory, to an unprivileged user.
type account struct {
	name     string // "" runs as whoever we are
	uid, gid int
	caps     []uintptr // capabilities to pass closed parent directories (Linux)
}

// chooseAccount picks the account and makes sure that it can run what is in
// binDir and reach the data below dataParent.
func chooseAccount(binDir, dataParent string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	var who account
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			who = account{name: name, uid: uid, gid: gid}
			break
		}
	}
	if who.name == "" {
		return account{}, errors.New("Postgres refuses to run as root and there is no user postgres or nobody to run it as; run this as an ordinary user")
	}
	closed, err := who.closedParent(binDir)
	if err != nil {
		return account{}, err
	}
	if closed != "" {
		return account{}, fmt.Errorf("Postgres refuses to run as root, and user %s, which runs it instead, may not enter %s to reach %s; "+
			"run this as an ordinary user, or install Postgres where everybody may run it", who.name, closed, binDir)
	}
	closed, err = who.closedParent(dataParent)
	if err != nil || closed == "" {
		return who, err
	}
	// Typical: the checkout is in /root, which is 0700. Opening it to
	// everybody is not ours to decide; the right to pass through is.
	if who.caps = passCaps(); who.caps == nil {
		return account{}, fmt.Errorf("Postgres refuses to run as root, and user %s, which runs it instead, may not enter %s; "+
			"run this as an ordinary user, or put the data elsewhere, or `chmod o+x %s`", who.name, closed, closed)
	}
	return who, nil
}

// closedParent is the first directory on the way to dir that who may not
// enter, "" when there is none. Missing ones will be made by us, open.
func (who account) closedParent(dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		st, err := os.Stat(d)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if !who.mayEnter(st) {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", nil
		}
	}
}

func (who account) mayEnter(st fs.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return false
	case int(sys.Uid) == who.uid:
		return st.Mode()&0o100 != 0
	case int(sys.Gid) == who.gid:
		return st.Mode()&0o010 != 0
	}
	return st.Mode()&0o001 != 0
}

// own gives path, but not what is in it, to the account.
func (who account) own(path string) error {
	if who.name == "" {
		return nil
	}
	if err := os.Chown(path, who.uid, who.gid); err != nil {
		return fmt.Errorf("give %s to user %s: %w", path, who.name, err)
	}
	return nil
}

// attr makes a child process run as the account.
func (who account) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if who.name != "" {
		attr.Credential = &syscall.Credential{Uid: uint32(who.uid), Gid: uint32(who.gid)}
		setCaps(attr, who.caps)
	}
	return attr
}
