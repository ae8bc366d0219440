package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Report is what an audit found.
type Report struct {
	At         time.Time // the instant it judged by
	Books      []string  // gateways whose own books were compared; none: our records only
	Invariants []Invariant
	Took       time.Duration
	// Of an incremental audit, and for the next one.
	SinceLast bool
	Touched   int64  // accounts that were looked at
	Watermark int64  // nothing of a lower transaction number can still be committed
	Counter   string // who counts transaction numbers
}

// MarshalJSON writes the report for machines, with its verdict.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		At         time.Time   `json:"at"`
		OK         bool        `json:"ok"`
		Books      []string    `json:"books"`
		Invariants []Invariant `json:"invariants"`
		TookMS     int64       `json:"took_ms"`
		SinceLast  bool        `json:"since_last,omitempty"`
		Touched    int64       `json:"accounts_touched,omitempty"`
	}{r.At, r.OK(), append([]string{}, r.Books...), r.Invariants, r.Took.Milliseconds(), r.SinceLast, r.Touched})
}

// Invariant is what was found of one rule.
type Invariant struct {
	ID       string   `json:"id"` // "I4"
	Says     string   `json:"says"`
	Checked  []Count  `json:"checked"`
	Total    int64    `json:"total"` // breaches, also those not listed
	Breaches []Breach `json:"breaches,omitempty"`
	Notes    []string `json:"notes,omitempty"` // worth knowing, not broken
	Next     string   `json:"next"`            // what to do when it is broken
}

// Count is how much of something was looked at.
type Count struct {
	What string `json:"what"`
	N    int64  `json:"n"`
}

// Breach is one thing that breaks an invariant: ids and numbers only (I18). Amounts are in minor units.
type Breach struct {
	Kind string `json:"kind"` // "invoice"
	ID   string `json:"id"`
	Says string `json:"says"`
}

// OK reports whether every invariant holds.
func (r Report) OK() bool { return len(r.Broken()) == 0 }

// Broken returns the invariants that don't hold.
func (r Report) Broken() []Invariant {
	var broken []Invariant
	for _, i := range r.Invariants {
		if i.Total > 0 {
			broken = append(broken, i)
		}
	}
	return broken
}

// Held returns the ids of the invariants that hold: their watermarks may move, those of the others must not.
func (r Report) Held() []string {
	var held []string
	for _, i := range r.Invariants {
		if i.Total == 0 {
			held = append(held, i.ID)
		}
	}
	return held
}

// Total counts all breaches.
func (r Report) Total() int64 {
	var n int64
	for _, i := range r.Invariants {
		n += i.Total
	}
	return n
}

// Write prints the report for people: a line per invariant, each breach with its ids, and a line of counts.
func (r Report) Write(w io.Writer) error {
	out := &strings.Builder{}
	for _, i := range r.Invariants {
		i.write(out)
	}
	fmt.Fprintln(out)
	if r.SinceLast {
		fmt.Fprintf(out, "Incremental: %s touched since the last audit; a change past Recoup's own records is found by a full one.\n", plural(r.Touched, "account", "accounts"))
	}
	if len(r.Books) == 0 {
		fmt.Fprintln(out, "No gateway's books were read: I1 and I2 compare our own records only.")
	} else {
		fmt.Fprintf(out, "Compared with the books of %s.\n", strings.Join(r.Books, ", "))
	}
	broken := r.Broken()
	held := len(r.Invariants) - len(broken)
	fmt.Fprintf(out, "%d invariants hold, %d broken, %s; judged by %s in %s.\n", held, len(broken), plural(r.Total(), "breach", "breaches"),
		r.At.Format("2006-01-02 15:04:05 MST"), r.Took.Round(time.Millisecond))
	_, err := io.WriteString(w, out.String())
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

func (i Invariant) write(out *strings.Builder) {
	verdict := "holds "
	if i.Total > 0 {
		verdict = "BROKEN"
	}
	fmt.Fprintf(out, "%-4s%s  %s (%s)\n", i.ID, verdict, i.Says, counts(i.Checked))
	for _, b := range i.Breaches {
		fmt.Fprintf(out, "      %s %s: %s\n", b.Kind, b.ID, b.Says)
	}
	if more := i.Total - int64(len(i.Breaches)); more > 0 {
		fmt.Fprintf(out, "      … and %s more\n", grouped(more))
	}
	for _, n := range i.Notes {
		fmt.Fprintf(out, "      note: %s\n", n)
	}
	if i.Total > 0 {
		fmt.Fprintf(out, "      next: %s\n", i.Next)
	}
}

func counts(checked []Count) string {
	parts := make([]string, len(checked))
	for n, c := range checked {
		parts[n] = grouped(c.N) + " " + c.What
	}
	return strings.Join(parts, ", ")
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
