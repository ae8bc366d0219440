package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"recoup/audit"
	"recoup/store"
)

// auditEnv is what the audit takes from its surroundings.
type auditEnv struct {
	Open func(context.Context) (*store.Store, error) // connects to the database
	// BooksURL is the base URL of the gateway; only the simulator has books to read. "" or Stripe itself: none.
	BooksURL func() string
}

// errBroken is how the audit ends when an invariant is broken, so that the process ends with 1.
var errBroken = errors.New("the audit found broken invariants; what to do is said with each. Amounts are in minor units; recoup case show CASE tells a case's story")

// auditCommand is `recoup audit`.
func auditCommand(env auditEnv) *cobra.Command {
	var asJSON, noBooks bool
	var booksURL, checkpoint string
	options := audit.Options{}
	c := &cobra.Command{
		Use:   "audit",
		Short: "check every invariant over the database and the gateway's books; exit 1 when one is broken",
		Long: `Checks the invariants that Recoup promises: every gateway charge has its attempt and its receipt, no invoice is charged twice,
balances and journal agree, every due invoice is followed, and more. It only reads, in one snapshot, and may run beside a live system.
Where the gateway is the simulator, its books are compared too. Run it on the primary, not on a replica.

With --since-last it looks only at accounts of which something was committed since the last such audit, and remembers how far it got; a
breach is told again until it is gone. With --checkpoint FILE it compares the journal's hash chains with every checkpoint in the file, one
line of JSON each, and when all is well records a new one there and in the database. Keep the file elsewhere: docs/ledger.md.`,
		Example: `  recoup audit
  recoup audit --json --no-books
  recoup audit --since-last
  recoup audit --checkpoint /mnt/safe/recoup-checkpoints.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := env.Open(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if !c.Flags().Changed("books") {
				booksURL = env.BooksURL()
			}
			if options.SinceLast && (checkpoint != "" || c.Flags().Changed("books")) {
				return errors.New("--since-last looks at some accounts only: --checkpoint and --books need all of them, so run them without it")
			}
			if options.Checkpoints, err = readCheckpoints(checkpoint); err != nil {
				return err
			}
			if !noBooks && !options.SinceLast && hasBooks(booksURL) {
				options.Books = []audit.Books{audit.SimulatorBooks{URL: booksURL}}
			}
			report, err := audit.Run(c.Context(), s.Pool(), options)
			if err != nil {
				if len(options.Books) > 0 {
					return fmt.Errorf("%w\nThe gateway's books were to be read from %s; --no-books leaves them out", err, booksURL)
				}
				return err
			}
			if options.SinceLast {
				if err := s.KeepWatermarks(c.Context(), report.Watermark, report.Counter, report.Held()); err != nil {
					return err
				}
			}
			if err := printAudit(c, report, asJSON); err != nil || checkpoint == "" {
				return err
			}
			return addCheckpoint(c, s, checkpoint)
		},
	}
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	f.BoolVar(&noBooks, "no-books", false, "compare our own records only")
	f.StringVar(&booksURL, "books", "", "base URL of the simulated gateway (default: the configured gateway)")
	f.BoolVar(&options.SinceLast, "since-last", false, "only what was touched since the last audit with this flag, or the worker's; no books")
	f.StringVar(&checkpoint, "checkpoint", "", "file of checkpoints to compare with and to add to; made when missing")
	f.DurationVar(&options.Grace, "grace", audit.DefaultGrace, "how long after its date something may be left undone")
	f.IntVar(&options.MaxBreaches, "max", 50, "breaches listed per invariant; all are counted")
	return c
}

func printAudit(c *cobra.Command, report audit.Report, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(c.OutOrStdout())
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		if err := out.Encode(report); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
	} else if err := report.Write(c.OutOrStdout()); err != nil {
		return err
	}
	if !report.OK() {
		return errBroken
	}
	return nil
}

// hasBooks reports whether a gateway's address can have books: everything but Stripe itself.
func hasBooks(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.Hostname() != "api.stripe.com"
}
