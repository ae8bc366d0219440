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

// batchFlags are what every command that begins a batch takes.
type batchFlags struct {
	order     *store.Order
	perMinute int
	dry       bool
}

func newBatchFlags(c *cobra.Command) *batchFlags {
	f := &batchFlags{order: orderFlags(c)}
	c.Flags().IntVar(&f.perMinute, "per-minute", billing.BatchPace, fmt.Sprintf("carry out at most so many a minute, up to %d", billing.BatchPaceMax))
	c.Flags().BoolVar(&f.dry, "dry-run", false, "say what each item would do and write nothing")
	return f
}

// begin previews the batch, or records it.
func (f *batchFlags) begin(c *cobra.Command, open func(context.Context) (*store.Store, error), o store.BatchOrder) error {
	o.PerMinute = f.perMinute
	if f.dry && f.order.Reason == "" {
		f.order.Reason = "a preview, which is not kept"
	}
	o.Order = signed(f.order)
	return withStore(c, open, func(s *store.Store) error {
		if f.dry {
			return previewBatch(c, s, o)
		}
		b, fresh, err := s.RecordBatch(c.Context(), o)
		if err != nil {
			return err
		}
		w := c.OutOrStdout()
		if !fresh {
			fmt.Fprintf(w, "This request was recorded before as batch %s; nothing happened now.\n", b.ID)
		} else {
			took := (time.Duration(b.Items) * time.Minute / time.Duration(b.Order.PerMinute)).Round(time.Second)
			fmt.Fprintf(w, "Batch %s is recorded: %s for %d invoices, in about %s once a worker runs.\n", b.ID, batchDoes(b.Order), b.Items, took)
		}
		fmt.Fprintf(w, "Next: recoup batch show %s --wait\n", b.ID)
		return nil
	})
}

// previewBatch says item by item what would happen, page by page so that no memory is needed for a long list.
func previewBatch(c *cobra.Command, s *store.Store, o store.BatchOrder) error {
	w := c.OutOrStdout()
	counts := map[billing.ItemState]int{}
	for after, items := 0, 1; after < items; {
		p, err := s.PreviewBatch(c.Context(), o, after, 0)
		if err != nil {
			return err
		}
		if after == 0 {
			fmt.Fprintf(w, "%s, for %d invoices:\n", batchDoes(o), p.Items)
		}
		out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, row := range p.Rows {
			counts[row.State]++
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", row.Invoice, itemWords[row.State], row.Says, row.Next)
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if len(p.Rows) == 0 {
			break // the list has become shorter meanwhile
		}
		after, items = after+len(p.Rows), p.Items
	}
	fmt.Fprintf(w, "Nothing was changed. Would be done %d, wait for a second person %d, be refused %d, not there %d.\n", counts[billing.ItemDone],
		counts[billing.ItemProposed], counts[billing.ItemRefused], counts[billing.ItemNotThere])
	return nil
}

// listFrom reads a list of invoices from a file, - for standard input.
func listFrom(c *cobra.Command, file string) (store.BatchSelection, error) {
	var in io.Reader = c.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return store.BatchSelection{}, fmt.Errorf("read the list: %w", err)
		}
		defer f.Close()
		in = f
	}
	list, err := billing.ReadInvoiceList(in)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s names no invoice: give one id a line", file)
	}
	return store.BatchSelection{Invoices: list}, err
}

// instantFlag reads a time such as 2026-11-30T00:00:00Z, or a date, which begins at 00:00 UTC.
func instantFlag(flag, text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		return at, billing.Refuse(billing.RefusedInvalid, flag, "%q is neither a time such as 2026-11-30T00:00:00Z nor a date", text)
	}
	return at, nil
}

func batchRetryOutageCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "retry-outage", Short: "retry every open case that a gateway's outage, or ours, stopped", Args: cobra.NoArgs,
		Long: `Chooses the open cases whose last attempt ended between --from and --to without a result for a reason that is not the customer's: the
gateway did not process it, it was proved after silence that nothing was taken, or it refused our own credentials. Each gets one round
at once instead of waiting for the next. A case whose attempt is still open is not chosen: that is looked up by itself.`,
	}
	gateway := c.Flags().String("gateway", "", "only this gateway (default: any)")
	from := c.Flags().String("from", "", "when the outage began: 2026-11-22T08:00:00Z (required)")
	to := c.Flags().String("to", "", "when it ended (default: now)")
	f := newBatchFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		window := store.OutageWindow{Gateway: *gateway, To: time.Now().UTC().Truncate(time.Second)}
		var err error
		if window.From, err = instantFlag("--from", *from); err != nil {
			return err
		}
		if *to != "" {
			if window.To, err = instantFlag("--to", *to); err != nil {
				return err
			}
		}
		return f.begin(c, open, store.BatchOrder{Kind: billing.BatchRetry, Of: store.BatchSelection{Outage: &window}})
	}
	return c
}

func batchRetryCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "retry LIST", Short: "retry the cases of a list of invoices now", Args: cobra.ExactArgs(1)}
	f := newBatchFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		of, err := listFrom(c, args[0])
		if err != nil {
			return err
		}
		return f.begin(c, open, store.BatchOrder{Kind: billing.BatchRetry, Of: of})
	}
	return c
}

func batchHoldCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "hold LIST", Short: "hold the cases of a list of invoices until a date", Args: cobra.ExactArgs(1)}
	until := c.Flags().String("until", "", "2026-11-30T00:00:00Z, or a date, which begins at 00:00 UTC (required)")
	scope := c.Flags().StringSlice("scope", nil, "attempts, notices, suspension (default: all)")
	f := newBatchFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o := store.BatchOrder{Kind: billing.BatchHold, Scope: *scope}
		var err error
		if o.Until, err = instantFlag("--until", *until); err != nil {
			return err
		}
		if o.Of, err = listFrom(c, args[0]); err != nil {
			return err
		}
		return f.begin(c, open, o)
	}
	return c
}

func batchReleaseCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "release LIST", Short: "release the held cases of a list of invoices", Args: cobra.ExactArgs(1)}
	f := newBatchFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		of, err := listFrom(c, args[0])
		if err != nil {
			return err
		}
		return f.begin(c, open, store.BatchOrder{Kind: billing.BatchRelease, Of: of})
	}
	return c
}

func batchMoveCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "move-policy NAME[@VERSION]", Short: "move cases to another version of a policy", Args: cobra.ExactArgs(1),
		Long: `Moves the open cases that follow --from, or those of a list, to a policy; without a version to the newest there is when the batch is
recorded. --dry-run shows the dates that change. Each move is refused where "recoup policy move" would refuse it.`,
	}
	from := c.Flags().String("from", "", "cases that follow this NAME@VERSION")
	file := c.Flags().String("list", "", "or the cases of this list of invoices")
	f := newBatchFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o := store.BatchOrder{Kind: billing.BatchMove}
		var err error
		if o.Policy, o.Version, err = policyRef(args[0]); err != nil {
			return err
		}
		if (*from == "") == (*file == "") {
			return billing.Refuse(billing.RefusedInvalid, "--from", "give either --from NAME@VERSION or --list FILE")
		}
		if *file != "" {
			o.Of, err = listFrom(c, *file)
		} else {
			var of store.PolicyVersion
			if of.Name, of.Version, err = policyRef(*from); err == nil && of.Version == 0 {
				err = billing.Refuse(billing.RefusedInvalid, "--from", "%q names no version: want NAME@VERSION, such as %s@1", *from, *from)
			}
			o.Of.OnPolicy = &of
		}
		if err != nil {
			return err
		}
		return f.begin(c, open, o)
	}
	return c
}
