package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/store"
)

// batchCommand acts on many cases at once. open connects to the database.
func batchCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "batch", Short: "act on many cases at once: retry, hold, release, move to another policy",
		Long: `A batch is recorded whole with the list of its invoices as it is then; a worker carries the items out, no faster than --per-minute. Each is
what the same decision about that one case would be: it is refused where that would be, and a refusal stops no other. --dry-run says
what each would do and writes nothing. The same --request-id returns the first batch. docs/batches.md has more.

A list of invoices is a file with one id a line; - is standard input, and what follows a # is skipped.`,
		Example: `  recoup batch retry-outage --from 2026-11-22T08:00:00Z --to 2026-11-22T09:30:00Z --gateway stripe --dry-run
  recoup batch retry-outage --from 2026-11-22T08:00:00Z --to 2026-11-22T09:30:00Z --gateway stripe --reason "Stripe's outage is over"
  recoup batch hold invoices.txt --until 2026-11-30 --reason "the bank's holiday"
  recoup batch release invoices.txt --reason "they are back"
  recoup batch move-policy standard@2 --from standard@1 --dry-run
  recoup batch show 20261122-k3f9q2 --wait
  recoup batch report 20261122-k3f9q2 --format csv > report.csv`,
	}
	c.AddCommand(batchRetryOutageCommand(open), batchRetryCommand(open), batchHoldCommand(open), batchReleaseCommand(open), batchMoveCommand(open),
		batchListCommand(open), batchShowCommand(open), batchReportCommand(open))
	for _, m := range batchMoves {
		c.AddCommand(batchStateCommand(open, m))
	}
	return c
}

func batchListCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "list batches, the newest first", Args: cobra.NoArgs}
	after := c.Flags().String("after", "", "go on after a page")
	limit := c.Flags().Int("limit", 20, "rows on a page")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withStore(c, open, func(s *store.Store) error {
			page, err := s.ListBatches(c.Context(), *after, *limit)
			if err != nil {
				return err
			}
			if len(page.Batches) == 0 {
				fmt.Fprintln(c.OutOrStdout(), "There are no batches.")
				return nil
			}
			out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(out, "BATCH\tDOES\tSTATE\tOUTCOMES\tRECORDED\tBY\tWHY")
			for _, b := range page.Batches {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", b.ID, b.Kind, b.State, b.Says(), b.RecordedAt.Format(time.RFC3339), b.Actor, b.Reason)
			}
			if err := out.Flush(); err != nil {
				return err
			}
			if page.Next != "" {
				fmt.Fprintf(c.OutOrStdout(), "More: --after %s\n", page.Next)
			}
			return nil
		})
	}
	return c
}

// batchLook is how often --wait looks again.
const batchLook = time.Second

func batchShowCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "show BATCH", Short: "show how far a batch is, and the items that were not done", Args: cobra.ExactArgs(1)}
	wait := c.Flags().Bool("wait", false, "say so whenever it gets further, until it has ended")
	c.RunE = func(c *cobra.Command, args []string) error {
		return withStore(c, open, func(s *store.Store) error {
			id := billing.BatchID(args[0])
			b, err := s.FindBatch(c.Context(), id)
			for last := ""; err == nil && *wait && !b.State.Ended(); b, err = s.FindBatch(c.Context(), id) {
				if now := fmt.Sprintf("%s: %s", b.State, b.Says()); now != last {
					last = now
					fmt.Fprintln(c.OutOrStdout(), now)
				}
				select {
				case <-c.Context().Done():
					return c.Context().Err()
				case <-time.After(batchLook):
				}
			}
			if err != nil {
				return err
			}
			return printBatch(c, s, b)
		})
	}
	return c
}

// troublesShown bounds the items that show lists; the report has all.
const troublesShown = 20

func printBatch(c *cobra.Command, s *store.Store, b store.Batch) error {
	w := c.OutOrStdout()
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "Batch\t%s\nDoes\t%s\nOf\t%s\nState\t%s\nItems\t%s\n", b.ID, batchDoes(b.Order), b.Order.Of.Says(), b.State, b.Says())
	fmt.Fprintf(out, "Rate\tat most %d a minute\nRecorded\t%s by %s: %s\n", b.Order.PerMinute, b.RecordedAt.Format(time.RFC3339), b.Actor, b.Reason)
	if b.StateBy != "" {
		fmt.Fprintf(out, "Changed by\t%s: %s\n", b.StateBy, b.StateWhy)
	}
	if !b.EndedAt.IsZero() {
		fmt.Fprintf(out, "Ended\t%s\n", b.EndedAt.Format(time.RFC3339))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	left := troublesShown
	for _, state := range []billing.ItemState{billing.ItemFailed, billing.ItemRefused, billing.ItemNotThere, billing.ItemProposed} {
		items, err := s.BatchItems(c.Context(), b.ID, state, 0, left)
		if err != nil {
			return err
		}
		left -= len(items)
		for _, t := range items {
			fmt.Fprintf(w, "  %s %s: %s\n", t.Invoice, itemWords[t.State], t.Says)
		}
	}
	next := "report " + string(b.ID)
	switch b.State {
	case billing.BatchRunning:
		next = "show " + string(b.ID) + " --wait"
	case billing.BatchPaused:
		next = "resume " + string(b.ID) + " --reason …"
	case billing.BatchCancelled, billing.BatchDone:
	}
	fmt.Fprintln(w, "Next: recoup batch", next)
	return nil
}

var itemWords = map[billing.ItemState]string{billing.ItemDone: "would be done", billing.ItemFailed: "failed", billing.ItemRefused: "refused",
	billing.ItemNotThere: "not there", billing.ItemProposed: "waits for a second person"}

// batchDoes is what a batch does to each case, in words.
func batchDoes(o store.BatchOrder) string {
	switch o.Kind {
	case billing.BatchHold:
		scope := "everything"
		if len(o.Scope) > 0 {
			scope = fmt.Sprint(o.Scope)
		}
		return fmt.Sprintf("hold until %s (%s)", o.Until.UTC().Format(time.RFC3339), scope)
	case billing.BatchMove:
		if o.Version == 0 {
			return "move to the newest version of " + o.Policy
		}
		return fmt.Sprintf("move to %s@%d", o.Policy, o.Version)
	case billing.BatchRetry, billing.BatchRelease:
	}
	return string(o.Kind)
}

func batchReportCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "report BATCH", Short: "write what became of every item, as CSV or JSON", Args: cobra.ExactArgs(1)}
	format := c.Flags().String("format", store.ReportCSV, store.ReportCSV+" or "+store.ReportJSON)
	file := c.Flags().String("out", "", "write to this file (default: standard output)")
	c.RunE = func(c *cobra.Command, args []string) error {
		return withStore(c, open, func(s *store.Store) (err error) {
			var w io.Writer = c.OutOrStdout()
			if *file != "" {
				f, err := os.Create(*file)
				if err != nil {
					return fmt.Errorf("--out: %w", err)
				}
				defer func() {
					if closed := f.Close(); err == nil {
						err = closed
					}
				}()
				w = f
			}
			return s.WriteBatchReport(c.Context(), billing.BatchID(args[0]), *format, w)
		})
	}
	return c
}

// batchMove is a command that pauses, resumes or cancels.
type batchMove struct {
	use, short, done, again string
	do                      func(*store.Store) func(context.Context, billing.BatchID, store.Order) (bool, error)
}

var batchMoves = []batchMove{
	{"pause", "carry nothing more out from now on, until resumed", "is paused: nothing more is carried out. Next: recoup batch resume %s --reason …",
		"was paused already; nothing changed.", func(s *store.Store) func(context.Context, billing.BatchID, store.Order) (bool, error) {
			return s.PauseBatch
		}},
	{"resume", "let a paused batch go on", "goes on. Next: recoup batch show %s --wait",
		"was running already; its workflow is told again.", func(s *store.Store) func(context.Context, billing.BatchID, store.Order) (bool, error) {
			return s.ResumeBatch
		}},
	{"cancel", "end a batch: what was done stays done, the rest is left out", "is cancelled: what was done stays done. Next: recoup batch report %s",
		"was cancelled already; nothing changed.", func(s *store.Store) func(context.Context, billing.BatchID, store.Order) (bool, error) {
			return s.CancelBatch
		}},
}

func batchStateCommand(open func(context.Context) (*store.Store, error), m batchMove) *cobra.Command {
	c := &cobra.Command{Use: m.use + " BATCH", Short: m.short, Args: cobra.ExactArgs(1)}
	o := orderFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return withStore(c, open, func(s *store.Store) error {
			fresh, err := m.do(s)(c.Context(), billing.BatchID(args[0]), signed(o))
			switch {
			case err != nil:
				return err
			case !fresh:
				fmt.Fprintf(c.OutOrStdout(), "Batch %s %s\n", args[0], m.again)
			default:
				fmt.Fprintf(c.OutOrStdout(), "Batch %s "+m.done+"\n", args[0], args[0])
			}
			return nil
		})
	}
	return c
}
