// Package intake reads import files: JSON Lines (ReadLines) and FOCUS cost-and-usage CSV (ReadFocus). It turns them into a
// billing.Batch that is checked as far as the file alone allows, or into a *billing.BatchProblems that names line and field.
// It does not know Postgres: what a file refers to outside itself is checked by store.Import. It never reads a clock.
package intake

import (
	"fmt"

	"recoup/billing"
)

// Limits of a file; docs/import.md states them.
const (
	LineBytesMax    = 1 << 20 // of one line of JSON Lines
	ObjectsMax      = 500_000 // of one file: a batch is held in memory
	InvoiceLinesMax = 1_000
	ContactsMax     = 20
	ServicesMax     = 200
	textMax         = 200 // characters of names, numbers, references
	longTextMax     = 1_000
)

// DefaultZone and DefaultLocale are taken where a file names none.
const (
	DefaultZone   = "UTC"
	DefaultLocale = "en-US"
)

var gateways = billing.Gateways()

// reader is what both formats share: the batch so far, its problems, and where each id was seen.
type reader struct {
	batch    billing.Batch
	problems billing.BatchProblems
	seen     map[string]int // "account acme" → its line
	zones    map[string]bool
}

func newReader() *reader {
	return &reader{seen: map[string]int{}, zones: map[string]bool{}}
}

// once notes that an object is there, and refuses a second one.
func (r *reader) once(line int, kind, id string) {
	if id == "" {
		return
	}
	if first, again := r.seen[kind+" "+id]; again {
		r.problems.Add(line, kind+".id", "%s is on line %d already", id, first)
		return
	}
	r.seen[kind+" "+id] = line
}

// done returns the batch when there is nothing wrong with it.
func (r *reader) done() (billing.Batch, error) {
	if r.batch.Len() > ObjectsMax {
		r.problems.Add(0, "", "holds %d objects; at most %d are taken at once: split it", r.batch.Len(), ObjectsMax)
	}
	if err := r.problems.Err(); err != nil {
		return billing.Batch{}, err
	}
	if r.batch.Len() == 0 {
		return billing.Batch{}, fmt.Errorf("holds nothing to import")
	}
	return r.batch, nil
}
