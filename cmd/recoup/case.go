package main

import (
	"fmt"
	"io"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

func caseCommand() *cobra.Command {
	c := &cobra.Command{Use: "case", Short: "list, show and resolve cases"}
	c.AddCommand(caseListCommand(), caseShowCommand(), caseResolveCommand())
	return c
}

func caseListCommand() *cobra.Command {
	var f store.CaseFilter
	var stage string
	c := &cobra.Command{
		Use: "list", Short: "list cases by their next action", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f.Stage = dunning.Stage(stage)
			if stage != "" {
				if _, err := f.Stage.Rank(); err != nil {
					return billing.Refuse(billing.RefusedInvalid, "--stage", "%q is none of %v", stage, dunning.Stages())
				}
			}
			s, err := openStore(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			page, err := s.ListCases(c.Context(), f)
			if err != nil {
				return err
			}
			out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(out, "CASE\tACCOUNT\tSTAGE\tDUE\tNEXT")
			for _, v := range page.Cases {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", v.ID, v.Account, v.Stage, v.Due, nextWords(v))
			}
			if err := out.Flush(); err != nil {
				return err
			}
			if page.Next != "" {
				fmt.Fprintf(c.OutOrStdout(), "More: --after %s\n", page.Next)
			}
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVar(&stage, "stage", "", "only this stage; without it the open cases")
	flags.StringVar(&f.Search, "search", "", "part of an invoice's id or number, or of an account's id or name")
	flags.StringVar(&f.Currency, "currency", "", "only this currency")
	flags.StringVar(&f.After, "after", "", "go on after a page")
	flags.IntVar(&f.Limit, "limit", 50, "rows on a page")
	return c
}

func nextWords(v store.CaseView) string {
	switch {
	case !v.FinishedAt.IsZero():
		return "finished: " + string(v.Outcome)
	case v.NextAt.IsZero():
		return string(v.Next.Do) + ": " + v.Next.Why
	}
	return v.NextAt.UTC().Format("2006-01-02 15:04:05") + "Z " + v.Next.Why
}

func caseShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show CASE", Short: "show one case: where it stands, what was tried, what happens next", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := openStore(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			detail, err := s.FindCase(c.Context(), billing.CaseID(args[0]))
			if err != nil {
				return err
			}
			return printCase(c.OutOrStdout(), detail)
		},
	}
}

func printCase(w io.Writer, d store.CaseDetail) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "Case\t%s\nInvoice\t%s (%s)\nAccount\t%s (%s)\n", d.ID, d.Number, d.InvoiceState, d.Account, d.AccountStanding)
	fmt.Fprintf(out, "Policy\t%s version %d\nStage\t%s\nDue\t%s of %s\nNext\t%s\n", d.Policy, d.PolicyVersion, d.Stage, d.Due, d.Total, nextWords(d.CaseView))
	if !d.HeldUntil.IsZero() {
		fmt.Fprintf(out, "Held until\t%s (%s)\n", d.HeldUntil.UTC().Format(time.RFC3339), strings.Join(d.HoldScopes, ", "))
	}
	fmt.Fprintln(out, "\nATTEMPT\tROUND\tMETHOD\tAMOUNT\tOUTCOME\tCODE\tREFERENCE")
	for _, a := range d.Attempts {
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", a.ID, a.Round, a.Masked, a.Amount, a.State, a.DeclineCode, a.Reference)
	}
	fmt.Fprintln(out, "\nWHEN\tWHAT")
	for _, e := range d.Events {
		fmt.Fprintf(out, "%s\t%s %s\n", e.At.UTC().Format("2006-01-02 15:04:05"), e.Kind, e.Data)
	}
	return out.Flush()
}

// resolveFlags are the fields of a resolution as a person types them.
type resolveFlags struct {
	billing.Resolution
	method, amount, currency string
	until                    string
}

func caseResolveCommand() *cobra.Command {
	var f resolveFlags
	c := &cobra.Command{
		Use: "resolve CASE KIND", Args: cobra.ExactArgs(2),
		Short: "decide about a case: " + kinds(),
		Long: `Records a decision and carries it out in one transaction; the workflow re-reads the case then. The same --request-id returns the
first answer, so a command whose answer was lost can be given again.`,
		Example: `  recoup case resolve inv-1 paid_out_of_band --amount 49.00 --currency USD --reference "CHQ 1207" --received-on 2026-11-20 --reason "cheque arrived"
  recoup case resolve inv-1 hold --until 2026-11-30T00:00:00Z --reason "customer disputes by phone"
  recoup case resolve inv-1 retry_now --reason "customer says the card works again"
  recoup case resolve inv-1 resolve_unknown --verdict captured --reference pi_123 --reason "found in the gateway's dashboard"`,
		RunE: func(c *cobra.Command, args []string) error {
			r, err := f.resolution(args[0], args[1])
			if err != nil {
				return err
			}
			s, err := openStore(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			answer, err := s.Resolve(c.Context(), r)
			if err != nil {
				return err
			}
			again := ""
			if answer.Repeated {
				again = " (answered before; nothing happened now)"
			}
			fmt.Fprintf(c.OutOrStdout(), "Changed: %s%s\nNext: %s\nRequest id: %s\n", answer.Changed, again, answer.Next, answer.RequestID)
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.RequestID, "request-id", "", "makes the decision idempotent; one is made when missing")
	flags.StringVar(&f.Actor, "actor", "", "who decides (default: the user of this shell)")
	flags.StringVar(&f.Reason, "reason", "", "why (required)")
	flags.StringVar(&f.amount, "amount", "", "paid_out_of_band: in major units, 49.00")
	flags.StringVar(&f.currency, "currency", "", "paid_out_of_band: ISO 4217 code")
	flags.StringVar(&f.Reference, "reference", "", "paid_out_of_band: cheque number or transfer reference; resolve_unknown: the payment at the gateway, pi_…")
	flags.StringVar(&f.ReceivedOn, "received-on", "", "paid_out_of_band: date, 2026-11-20")
	flags.StringVar((*string)(&f.Verdict), "verdict", "", "resolve_unknown: captured (with --reference) or not_captured (with --evidence)")
	flags.StringVar(&f.Evidence, "evidence", "", "resolve_unknown: how it is known that nothing was captured")
	flags.StringVar(&f.method, "method", "", "retry_now: only this payment method")
	flags.StringVar(&f.until, "until", "", "hold: when it ends, 2026-11-30T00:00:00Z")
	flags.StringSliceVar(&f.Scope, "scope", nil, "hold: attempts, notices, suspension (default: all)")
	return c
}

func kinds() string {
	var names []string
	for _, k := range billing.ResolutionKinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// resolution turns what was typed into a resolution; errors name the flag.
func (f resolveFlags) resolution(id, kind string) (billing.Resolution, error) {
	r := f.Resolution
	r.Case, r.Kind, r.Method = billing.CaseID(id), billing.ResolutionKind(kind), billing.MethodID(f.method)
	if r.RequestID == "" {
		r.RequestID = "cli-" + uuid.NewString()
	}
	if r.Actor == "" {
		if u, err := user.Current(); err == nil {
			r.Actor = u.Username
		}
	}
	if f.amount != "" {
		currency, err := money.ParseCurrency(f.currency)
		if err != nil {
			return r, billing.Refuse(billing.RefusedInvalid, "--currency", "%v", err)
		}
		amount, err := money.ParseDecimal(f.amount, currency)
		if err != nil {
			return r, billing.Refuse(billing.RefusedInvalid, "--amount", "%v", err)
		}
		r.Amount = &amount
	}
	if f.until != "" {
		until, err := time.Parse(time.RFC3339, f.until)
		if err != nil {
			return r, billing.Refuse(billing.RefusedInvalid, "--until", "%q is not a time such as 2026-11-30T00:00:00Z", f.until)
		}
		r.Until = until
	}
	return r, r.Check()
}
