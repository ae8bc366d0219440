package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

// stepWords name the steps of a preview in its table.
var stepWords = map[dunning.Do]string{
	dunning.DoBeginRound: "round", dunning.DoFinalNotice: "final notice", dunning.DoScheduleSuspension: "last reminder",
	dunning.DoSuspend: "suspension", dunning.DoCloseAccount: "closing", dunning.DoWait: "no suspension",
}

// example is the made-up invoice of a preview or a comparison.
type example struct {
	invoice, due, zone, amount, locale string
}

func exampleFlags(c *cobra.Command) *example {
	e := &example{}
	f := c.Flags()
	f.StringVar(&e.due, "due", "", "due date of a made-up invoice, such as 2026-12-01 (default: today)")
	f.StringVar(&e.zone, "zone", "UTC", "the account's time zone, such as Europe/Berlin")
	f.StringVar(&e.amount, "amount", "49.00 USD", "its amount")
	f.StringVar(&e.locale, "locale", "en-US", "how amounts are written, such as de-DE")
	return e
}

// input reads the flags; each mistake names its flag.
func (e example) input(now time.Time) (dunning.PreviewInput, error) {
	in := dunning.PreviewInput{DueDate: e.due, Zone: e.zone, Invoice: billing.InvoiceID(e.invoice)}
	if in.DueDate == "" {
		in.DueDate = now.UTC().Format(time.DateOnly)
	}
	number, code, ok := strings.Cut(strings.TrimSpace(e.amount), " ")
	if !ok {
		return in, fmt.Errorf("--amount %q: want a number and a currency, such as \"49.00 USD\"", e.amount)
	}
	currency, err := money.ParseCurrency(strings.TrimSpace(code))
	if err != nil {
		return in, fmt.Errorf("--amount %q: %w", e.amount, err)
	}
	if in.Amount, err = money.ParseDecimal(number, currency); err != nil {
		return in, fmt.Errorf("--amount %q: %w", e.amount, err)
	}
	if _, err := dunning.DueAt(in.DueDate, "UTC"); err != nil {
		return in, fmt.Errorf("--due: %w", err)
	}
	if _, err := dunning.DueAt(in.DueDate, in.Zone); err != nil {
		return in, fmt.Errorf("--zone: %w", err)
	}
	return in, nil
}

func policyPreviewCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "preview [NAME[@VERSION]|FILE]", Short: "print every date, round and notice that an invoice would see", Args: cobra.MaximumNArgs(1),
		Long: `For an invoice there is (--invoice ID): the dates of its case, or of the one that would open; without a name, by the policy it
follows. Or for one made up (--due, --zone, --amount). All times are local to the account. It assumes that every charge is declined and
nobody steps in.`,
		Example: `  recoup policy preview standard --due 2026-10-12 --zone Europe/Berlin --amount "49.00 EUR" --locale de-DE
  recoup policy preview fast@1 --invoice inv-1
  recoup policy preview --invoice inv-1`,
	}
	e := exampleFlags(c)
	c.Flags().StringVar(&e.invoice, "invoice", "", "an invoice there is, instead of a made-up one")
	c.RunE = func(c *cobra.Command, args []string) error {
		return withStore(c, open, func(s *store.Store) error {
			in, locale, text, err := e.of(c, s)
			if err != nil {
				return err
			}
			p, err := onePolicy(c, s, append(args, text)[0])
			if err != nil {
				return err
			}
			preview, err := p.Preview(in)
			if err != nil {
				return err
			}
			return printPreview(c.OutOrStdout(), p, preview, in, locale)
		})
	}
	return c
}

// of returns what the preview is for, how its amounts are written, and the policy it follows when none is named.
func (e example) of(c *cobra.Command, s *store.Store) (in dunning.PreviewInput, locale, policy string, err error) {
	if e.invoice == "" {
		in, err = e.input(time.Now())
		return in, e.locale, dunning.DefaultPolicy, err
	}
	for _, name := range []string{"due", "zone", "amount"} {
		if c.Flags().Changed(name) {
			return in, "", "", fmt.Errorf("--%s: is the invoice's own with --invoice", name)
		}
	}
	x, err := s.ExplainPolicy(c.Context(), billing.InvoiceID(e.invoice))
	if err != nil {
		return in, "", "", err
	}
	locale = x.Locale
	if c.Flags().Changed("locale") {
		locale = e.locale
	}
	due, err := x.Invoice.Due()
	if err != nil {
		return in, "", "", err
	}
	if due.IsZero() {
		return in, "", "", fmt.Errorf("--invoice %s: nothing is due on it: it is %s", e.invoice, x.Invoice.State)
	}
	in = dunning.PreviewInput{DueDate: x.Invoice.DueDate, Zone: x.Zone, Invoice: x.Invoice.ID, Amount: due}
	policy = fmt.Sprintf("%s@%d", x.Now.Policy, x.Now.Version)
	if x.Case != "" && !x.Finished {
		in.Start, in.Shift, policy = x.Start, x.Shift, fmt.Sprintf("%s@%d", x.Policy, x.Version)
	}
	return in, locale, policy, nil
}

func printPreview(w io.Writer, p dunning.Policy, v dunning.Preview, in dunning.PreviewInput, locale string) error {
	loc, err := time.LoadLocation(v.Zone)
	if err != nil {
		return err
	}
	local := func(at time.Time) string {
		if p.Unit == dunning.UnitSecond {
			return at.In(loc).Format("Mon 2006-01-02 15:04:05 -07:00")
		}
		return at.In(loc).Format("Mon 2006-01-02 15:04 -07:00")
	}
	who := "an invoice"
	if in.Invoice != "" {
		who = "invoice " + string(in.Invoice)
	}
	fmt.Fprintf(w, "%s version %d for %s of %s, due on %s in %s.\n", v.Policy, v.Version, who, in.Amount.Format(locale), in.DueDate, v.Zone)
	fmt.Fprintln(w, "Every charge is taken to be declined, and nobody steps in.")
	fmt.Fprintln(w)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "LOCAL TIME\t%s\tWHAT\tNOTICE\n", strings.ToUpper(string(p.Unit)))
	fmt.Fprintf(out, "%s\t\tdue: the end of the day\t\n", local(v.DueAt))
	for _, s := range v.Steps {
		notice := "none"
		if s.Notice != "" {
			notice = string(s.Notice)
			if !s.NoticeAt.Equal(s.At) {
				notice += " at " + s.NoticeAt.In(loc).Format("15:04") + " (quiet hours)"
			}
		}
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\n", local(s.At), s.Unit, s.Says, notice)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, n := range v.Notes {
		fmt.Fprintln(w, n)
	}
	return nil
}

func policyDiffCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "diff FROM TO", Short: "say what changes between two policies, in words and in dates", Args: cobra.ExactArgs(2),
		Long: `FROM and TO are NAME, NAME@VERSION or files. The dates are those of a made-up invoice.`,
	}
	e := exampleFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		in, err := e.input(time.Now())
		if err != nil {
			return err
		}
		return withStore(c, open, func(s *store.Store) error {
			from, err := onePolicy(c, s, args[0])
			if err != nil {
				return err
			}
			to, err := onePolicy(c, s, args[1])
			if err != nil {
				return err
			}
			return printDiff(c.OutOrStdout(), from, to, in)
		})
	}
	return c
}

func printDiff(w io.Writer, from, to dunning.Policy, in dunning.PreviewInput) error {
	a, b := fmt.Sprintf("%s@%d", from.Name, from.Version), fmt.Sprintf("%s@%d", to.Name, to.Version)
	changes := dunning.Diff(from, to)
	if len(changes) == 0 {
		fmt.Fprintf(w, "%s and %s treat every case alike.\n", a, b)
		return nil
	}
	fmt.Fprintf(w, "From %s to %s:\n", a, b)
	for _, ch := range changes {
		fmt.Fprintf(w, "  %s: %s\n", ch.Field, ch.Says)
	}
	was, err := from.Preview(in)
	if err != nil {
		return err
	}
	is, err := to.Preview(in)
	if err != nil {
		return err
	}
	loc, err := time.LoadLocation(in.Zone)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nAn invoice of %s, due on %s in %s:\n", in.Amount, in.DueDate, in.Zone)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "WHAT\t%s\t%s\t\n", a, b)
	layout := "Mon 2006-01-02 15:04"
	if from.Unit == dunning.UnitSecond || to.Unit == dunning.UnitSecond {
		layout += ":05"
	}
	local := func(at time.Time) string {
		if at.IsZero() {
			return "-"
		}
		return at.In(loc).Format(layout)
	}
	for _, row := range sideBySide(was, is) {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", row.what, local(row.was), local(row.is), apart(row.was, row.is))
	}
	return out.Flush()
}

type previewRow struct {
	what    string
	was, is time.Time
}

// sideBySide pairs the steps of two previews: rounds by their number, the others by what they are.
func sideBySide(was, is dunning.Preview) []previewRow {
	var rows []previewRow
	at := map[string]int{}
	for side, v := range []dunning.Preview{was, is} {
		for _, s := range v.Steps {
			what := stepWords[s.Do]
			if s.Round > 0 {
				what = fmt.Sprintf("%s %d", what, s.Round)
			}
			n, seen := at[what]
			if !seen {
				n = len(rows)
				if s.Round > 0 { // one round more than the other has: before the escalations
					for n = 0; n < len(rows) && strings.HasPrefix(rows[n].what, stepWords[dunning.DoBeginRound]+" "); n++ {
					}
					for other, i := range at {
						if i >= n {
							at[other] = i + 1
						}
					}
				}
				rows = append(rows[:n], append([]previewRow{{what: what}}, rows[n:]...)...)
				at[what] = n
			}
			if side == 0 {
				rows[n].was = s.At
			} else {
				rows[n].is = s.At
			}
		}
	}
	return rows
}

// apart says how far one date is from the other, in words.
func apart(was, is time.Time) string {
	d := is.Sub(was)
	switch {
	case was.IsZero():
		return "new"
	case is.IsZero():
		return "gone"
	case d == 0:
		return ""
	}
	way := "later"
	if d < 0 {
		d, way = -d, "earlier"
	}
	if d < 24*time.Hour-time.Hour { // clocks may change in between
		return fmt.Sprintf("%s %s", d, way)
	}
	days := int((d + 12*time.Hour) / (24 * time.Hour))
	if days == 1 {
		return "1 day " + way
	}
	return fmt.Sprintf("%d days %s", days, way)
}

func instantOrDash(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}
