package chaos

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Report is what a run did and what it found.
type Report struct {
	Options Options
	// Done counts what was done by kind; Missed what was planned and found nothing to be done to.
	Done, Missed map[Kind]int
	// Deaths are the ends of processes between a success at the gateway and its record.
	Deaths Deaths
	// Answers count the decisions by kind and what people were told.
	Answers map[Kind]map[string]int
	Doors   map[string]int
	// Ends are the invoices by where they ended; Parked the open tasks by kind.
	Ends, Parked []count
	// Moving is what had not come to rest; Quiet how long it took.
	Moving      []string
	Quiet, Took time.Duration

	DoubleCharges, LostReceipts, LostReversals, WrongfulSuspensions, LostDecisions, WrongMails, Mismatches int
	AuditHolds                                                                                             int
	AuditBreaches                                                                                          int64

	findings []finding
}

// Deaths are attempts that the gateway had charged when what would have recorded it died, by what died.
type Deaths struct {
	Worker, Postgres []string
}

// All counts them.
func (d Deaths) All() int { return len(d.Worker) + len(d.Postgres) }

// finding is one sort of thing that is wrong, with each of them.
type finding struct {
	what string
	each []string
}

// wrong adds what is wrong and returns how much it was.
func (r *Report) wrong(what string, each ...string) int {
	if len(each) == 0 {
		return 0
	}
	if n := len(r.findings); n > 0 && r.findings[n-1].what == what {
		r.findings[n-1].each = append(r.findings[n-1].each, each...)
		return len(each)
	}
	r.findings = append(r.findings, finding{what, each})
	return len(each)
}

// tellDecisions counts what people decided, through which doors and with what answer.
func (r *Report) tellDecisions(given []decision) {
	r.Answers, r.Doors = map[Kind]map[string]int{}, map[string]int{}
	words := map[verdict]string{unheard: "unheard", accepted: "taken", refused: "refused", handedOver: "signalled"}
	for _, d := range given {
		k := Kind(d.Kind)
		if r.Answers[k] == nil {
			r.Answers[k] = map[string]int{}
		}
		r.Answers[k][words[d.said]]++
		r.Doors[d.door]++
	}
}

// Unkept lists the promised kinds that did not happen: then the run has proved nothing about them.
func (r *Report) Unkept() []Kind {
	var none []Kind
	for _, g := range groups() {
		for _, k := range g.kinds {
			if r.Done[k] == 0 {
				none = append(none, k)
			}
		}
	}
	return none
}

// OK reports whether everything that was promised happened, and nothing is wrong.
func (r *Report) OK() bool { return len(r.findings) == 0 && len(r.Unkept()) == 0 && r.Deaths.All() > 0 }

// listMax bounds how many of one sort are printed; all are counted.
const listMax = 40

// Write prints the report; its last line is one line of counts.
func (r *Report) Write(w io.Writer) error {
	out := &strings.Builder{}
	total := r.writeDone(out)
	fmt.Fprintf(out, "\nDeaths between a success at the gateway and its record: %d (%d workers, %d Postgres)\n", r.Deaths.All(), len(r.Deaths.Worker), len(r.Deaths.Postgres))
	fmt.Fprintln(out, "\nInvoices by where they ended")
	for _, c := range r.Ends {
		fmt.Fprintf(out, "  %6d  %s\n", c.N, c.What)
	}
	fmt.Fprintln(out, "\nOpen tasks by kind")
	for _, c := range r.Parked {
		fmt.Fprintf(out, "  %6d  %s\n", c.N, c.What)
	}
	r.writeWrong(out)
	verdict := "passed"
	if !r.OK() {
		verdict = "FAILED"
	}
	fmt.Fprintf(out, "\nchaos %s: seed %d, %d invoices, %d faults in %s, %d deaths between gateway success and commit, %d double charges, %d lost receipts, "+
		"%d lost reversals, "+
		"%d wrongful suspensions, %d lost decisions, %d wrong mails, %d audit breaches, %d mismatches, quiet after %s\n",
		verdict, r.Options.Seed, r.Options.Invoices, total, r.Options.For, r.Deaths.All(), r.DoubleCharges, r.LostReceipts, r.LostReversals, r.WrongfulSuspensions,
		r.LostDecisions, r.WrongMails, r.AuditBreaches, r.Mismatches, seconds(r.Quiet))
	_, err := io.WriteString(w, out.String())
	return err
}

func (r *Report) writeDone(out *strings.Builder) (total int) {
	for _, g := range groups() {
		fmt.Fprintf(out, "\n%s\n", g.name)
		for _, k := range g.kinds {
			total += r.Done[k]
			more := ""
			if answers := r.Answers[k]; len(answers) > 0 {
				var parts []string
				for _, word := range []string{"taken", "refused", "signalled", "unheard"} {
					if answers[word] > 0 {
						parts = append(parts, fmt.Sprintf("%d %s", answers[word], word))
					}
				}
				more = "  (" + strings.Join(parts, ", ") + ")"
			}
			if n := r.Missed[k]; n > 0 {
				more += fmt.Sprintf("  (%d times there was nothing to do it to)", n)
			}
			fmt.Fprintf(out, "  %6d  %s%s\n", r.Done[k], k, more)
		}
	}
	return total
}

func (r *Report) writeWrong(out *strings.Builder) {
	for _, k := range r.Unkept() {
		fmt.Fprintf(out, "\nPROMISED AND NOT DONE: %s\n", k)
	}
	if r.Deaths.All() == 0 {
		fmt.Fprintln(out, "\nPROMISED AND NOT DONE: no process died between a success at the gateway and its record")
	}
	for _, f := range r.findings {
		fmt.Fprintf(out, "\nWRONG: %s (%d)\n", f.what, len(f.each))
		for _, one := range f.each[:min(len(f.each), listMax)] {
			fmt.Fprintf(out, "  %s\n", one)
		}
	}
}
