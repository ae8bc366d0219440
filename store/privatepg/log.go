package privatepg

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

const (
	// logMax is where a log file starts over: the dev stack may run for weeks.
	logMax = 10 << 20
	// tailMax is how much of the log an error repeats.
	tailMax = 4 << 10
)

// openLog gives the writer for the server's log and what closes it. A file
// goes to the server as it is, so logging goes on when we are gone.
func openLog(o Options) (io.Writer, func(), error) {
	if o.Log != nil {
		return o.Log, func() {}, nil
	}
	name := o.DataDir + ".log"
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if st, err := os.Stat(name); err == nil && st.Size() > logMax {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the server's log: %w", err)
	}
	return f, func() { f.Close() }, nil
}

func size(f *os.File) int64 {
	st, err := f.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}

// tailWriter remembers the last lines of a log, by keeping them or by the
// file and the offset where they begin.
type tailWriter struct {
	mu   sync.Mutex
	buf  []byte
	file string
	from int64
}

func (t *tailWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - tailMax; extra > 0 {
		t.buf = t.buf[extra:]
	}
	return len(p), nil
}

func (t *tailWriter) String() string {
	if t.file != "" {
		whole, err := os.ReadFile(t.file)
		if err != nil || int64(len(whole)) < t.from {
			return ""
		}
		whole = whole[t.from:]
		return string(bytes.TrimSpace(whole[max(0, len(whole)-tailMax):]))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

// startError is a server that ended, or hung, before it was ready.
type startError struct {
	cause error
	log   string
}

func (e *startError) Error() string {
	if e.log == "" {
		return e.cause.Error()
	}
	return fmt.Sprintf("%v; its log says:\n%s", e.cause, e.log)
}

func (e *startError) Unwrap() error { return e.cause }

func (e *startError) portTaken() bool {
	return strings.Contains(e.log, "Address already in use") || strings.Contains(e.log, "could not create any TCP/IP sockets")
}

// passing is true for what heals within seconds: backends of a killed server
// notice its death and let go of the shared memory.
func (e *startError) passing() bool {
	return strings.Contains(e.log, "pre-existing shared memory block")
}
