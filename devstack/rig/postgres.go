package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// KillPostgres ends Postgres as a power cut would and returns when the stack has started it again: it recovers, and everything that uses
// it connects anew. The stack gives up on a server that dies more than five times within a minute.
func (r *Rig) KillPostgres(ctx context.Context) error {
	before, err := r.postgresPid()
	if err != nil {
		return err
	}
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill Postgres: %w", err)
	}
	return Eventually(ctx, startWait, "Postgres is up again", func() error {
		if now, err := r.postgresPid(); err != nil || now == before {
			return fmt.Errorf("process %d is still named: %w", before, err)
		}
		return r.Store.Ping(ctx)
	})
}

// postgresPid is the server's number as it wrote it down itself.
func (r *Rig) postgresPid() (int, error) {
	raw, err := os.ReadFile(filepath.Join(r.Dir, "stack", "postgres", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	return strconv.Atoi(string(first))
}
