package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/dunning"
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
			fmt.Fprintln(out, "CASE\tACCOUNT\tSTAGE\tDUE\tNEXT\tALSO")
			for _, v := range page.Cases {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Account, v.Stage, v.Due, nextWords(v), alsoWords(v, time.Now()))
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
	flags.StringVar((*string)(&f.Overlay), "overlay", "", "only with this over the stage: held, unknown, pending, customer, disputed, promised, suspended")
	flags.StringVar(&f.Search, "search", "", "part of an invoice's id or number, or of an account's id or name")
	flags.StringVar(&f.Currency, "currency", "", "only this currency")
	flags.StringVar(&f.After, "after", "", "go on after a page")
	flags.IntVar(&f.Limit, "limit", 50, "rows on a page")
	return c
}

// alsoWords say what lies over the stage of an open case: a hold, a dispute, a promise.
func alsoWords(v store.CaseView, now time.Time) string {
	var also []string
	if !v.FinishedAt.IsZero() {
		return ""
	}
	if v.HeldUntil.After(now) {
		also = append(also, "held")
	}
	if v.Disputed.IsPositive() {
		also = append(also, "disputed")
	}
	if !v.PromisedUntil.IsZero() {
		also = append(also, "promised")
	}
	return strings.Join(also, ", ")
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
	if d.Disputed.IsPositive() {
		fmt.Fprintf(out, "Disputed\t%s, not collected\n", d.Disputed)
	}
	if !d.PromisedUntil.IsZero() {
		fmt.Fprintf(out, "Promised\tnothing is collected until %s\n", d.PromisedUntil.UTC().Format(time.RFC3339))
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
