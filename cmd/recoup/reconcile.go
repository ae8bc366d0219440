package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"recoup/activities"
	"recoup/billing"
	"recoup/gateway"
	"recoup/gateway/stripe"
	"recoup/store"
)

// reconcileEnv is what a reconciliation takes from its surroundings.
type reconcileEnv struct {
	Open     func(context.Context) (*store.Store, error)
	Gateways func(context.Context) ([]gateway.Gateway, error)
	Log      *slog.Logger
}

// errMismatch ends a reconciliation that found something, so that the process ends with 1.
var errMismatch = errors.New("gateway and ledger differ; each mismatch is a task now. What to do about it: docs/reconcile.md")

// configuredGateways are those of the environment.
func configuredGateways(ctx context.Context) ([]gateway.Gateway, error) {
	config, err := process[stripe.Config](ctx)
	if err != nil {
		return nil, err
	}
	adapter, err := stripe.New(config)
	return []gateway.Gateway{adapter}, err
}

// reconcileCommand is `recoup reconcile`.
func reconcileCommand(env reconcileEnv) *cobra.Command {
	var from, to string
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "compare the gateways' lists of payments with attempts and receipts, both ways; exit 1 when they differ",
		Long: `Reads what the gateways themselves say they took and compares it with attempts and receipts: money without an attempt or a receipt,
other amounts, two payments for one attempt, receipts without a payment. Each mismatch is printed and becomes a task, once. What a gateway
lists as returned or disputed is asked about again, in case its webhook never came. The same runs every day by the Temporal schedule recoup-reconcile.`,
		Example: `  recoup reconcile
  recoup reconcile --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			in, err := reconcileSpan(from, to, time.Now())
			if err != nil {
				return err
			}
			gateways, err := env.Gateways(c.Context())
			if err != nil {
				return err
			}
			return withStore(c, env.Open, func(s *store.Store) error {
				r := activities.Reconciling{Books: s, Gateways: gateways, Log: env.Log}
				report, err := r.Reconcile(c.Context(), in)
				if err != nil {
					return err
				}
				return printReconciliation(c, in, report)
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", "start, 2026-11-01T00:00:00Z (default: three days ago)")
	c.Flags().StringVar(&to, "to", "", "end (default: an hour ago, because answers may still be on the way)")
	return c
}

func reconcileSpan(from, to string, now time.Time) (activities.ReconcileInput, error) {
	in := activities.ReconcileInput{From: now.Add(-73 * time.Hour), To: now.Add(-time.Hour)}
	for flag, v := range map[string]struct {
		text string
		at   *time.Time
	}{"--from": {from, &in.From}, "--to": {to, &in.To}} {
		if v.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, v.text)
		if err != nil {
			return in, billing.Refuse(billing.RefusedInvalid, flag, "%q is not a time such as 2026-11-01T00:00:00Z", v.text)
		}
		*v.at = at
	}
	if !in.From.Before(in.To) {
		return in, billing.Refuse(billing.RefusedInvalid, "--from", "must be before --to")
	}
	return in, nil
}

func printReconciliation(c *cobra.Command, in activities.ReconcileInput, r activities.ReconcileReport) error {
	out := c.OutOrStdout()
	for _, m := range r.Mismatches {
		fmt.Fprintf(out, "%s  %s  payment %s  attempt %s  invoice %s  case %s: %s\n", m.Kind, m.Gateway, orDash(m.Reference),
			orDash(string(m.Attempt)), orDash(string(m.Invoice)), orDash(string(m.Case)), m.Detail)
	}
	fmt.Fprintf(out, "%s to %s: %d payments and %d receipts compared, %d mismatches, %d of them new.\n", in.From.UTC().Format(time.RFC3339),
		in.To.UTC().Format(time.RFC3339), r.Charges, r.Receipts, len(r.Mismatches), r.Raised)
	if r.TakenBack > 0 {
		fmt.Fprintf(out, "Of %d payments the gateways list a return or dispute: the workers ask about each and book what is not booked yet.\n", r.TakenBack)
	}
	if len(r.Mismatches) > 0 {
		return errMismatch
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
