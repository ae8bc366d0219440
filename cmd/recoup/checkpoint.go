package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"recoup/store"
)

// readCheckpoints reads a file of checkpoints, one line of JSON each; no file: none yet.
func readCheckpoints(file string) ([]store.Checkpoint, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	var all []store.Checkpoint
	for n, line := range bytes.Split(raw, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var c store.Checkpoint
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil || c.Snapshot == "" || len(c.Digest) != 64 {
			return nil, fmt.Errorf("%s, line %d: not a checkpoint as recoup audit --checkpoint writes them: mend the file, or name another", file, n+1)
		}
		all = append(all, c)
	}
	return all, nil
}

// addCheckpoint records the journal as it is now, in the database and in the file.
func addCheckpoint(c *cobra.Command, s *store.Store, file string) error {
	// Opened first: a checkpoint in the database only would be of no use.
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	checkpoint, err := s.RecordCheckpoint(c.Context())
	if err != nil {
		return errors.Join(err, f.Close())
	}
	err = json.NewEncoder(f).Encode(checkpoint)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	fmt.Fprintf(c.ErrOrStderr(), "Checkpoint %d: %d links in %d accounts, digest %s, added to %s. Keep that file where who runs the database can't change it.\n",
		checkpoint.ID, checkpoint.Links, checkpoint.Accounts, checkpoint.Digest, file)
	return nil
}
