//go:build crash

package boundary

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// DirVariable names the directory in which a test arms boundaries. It holds a file for each subject with the labels at which processes
// shall die, one a line; the first line counts, is taken off by the process that dies of it, and makes way for the next. A line
// "SUBJECT<tab>LABEL<tab>PID" is added to the file named by [Deaths] first. A file without lines dies of nothing and still has written down
// what is passed, as "SUBJECT<tab>LABEL" in the file named by [Passes].
const DirVariable = "RECOUP_CRASH_DIR"

// The files of [DirVariable]'s directory in which processes write down of what they die, and what they pass.
const (
	Deaths = "deaths"
	Passes = "passes"
)

// exitCode is how a process ends at a boundary: as one that was killed by -9 looks to a shell.
const exitCode = 137

// At ends the process, without any deferred function, when label is what is armed first for the subject of id.
func At[ID ~string](label Label, id ID) {
	dir := os.Getenv(DirVariable)
	if dir == "" {
		return
	}
	if err := at(dir, label, Subject(string(id))); err != nil {
		// A test that arms what can't be read must not pass.
		fmt.Fprintf(os.Stderr, "boundary %s: %v\n", label, err)
		os.Exit(1)
	}
}

// Subject is what ids have in common: all up to the first full stop or slash. Account c1, invoice c1.1 and case c1.1/2 are one subject.
func Subject(id string) string {
	if end := strings.IndexAny(id, "./"); end >= 0 {
		return id[:end]
	}
	return id
}

func at(dir string, label Label, subject string) error {
	file, err := os.OpenFile(filepath.Join(dir, "subject-"+subject), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	// Others work on the same subject in this moment: one of them dies of a line.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	raw, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	if err := note(dir, Passes, subject+"\t"+string(label)); err != nil {
		return err
	}
	first, rest, _ := strings.Cut(string(raw), "\n")
	if first != string(label) {
		return nil
	}
	if err := note(dir, Deaths, fmt.Sprintf("%s\t%s\t%d", subject, label, os.Getpid())); err != nil {
		return err
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	if _, err := file.WriteAt([]byte(rest), 0); err != nil {
		return err
	}
	os.Exit(exitCode)
	return nil
}

// note adds a line to a file that many processes write to.
func note(dir, name, line string) error {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(line + "\n")
	return errors.Join(err, file.Close())
}

// Patience is how long others wait for a process that may be dead: a fifteenth, so that hundreds of deaths fit in minutes.
func Patience(d time.Duration) time.Duration { return max(d/15, min(d, 2*time.Second)) }
