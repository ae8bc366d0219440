package main

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

func policyAssignCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "assign NAME[@VERSION]", Short: "have new cases of an account or a segment follow a policy", Args: cobra.ExactArgs(1),
		Long: `Either for one account (--account), or for a segment: every condition given must hold (--currency, --country, --plan, --from, --below),
and --priority says in which order segments are asked, 1 first. Without a version it is the newest when a case opens. Live cases keep
their policy.

The order is: a rule for the account; the policy its import named; segments by priority; standard.`,
		Example: `  recoup policy assign fast --account acme --reason "agreed with them"
  recoup policy assign fast --country DE --plan trial --priority 10 --reason "trials"
  recoup policy assign gentle@2 --currency EUR --from 1000.00 --below 5000.00 --priority 20 --reason "large invoices"`,
	}
	var r dunning.Assignment
	var account, from, below string
	f := c.Flags()
	f.StringVar(&account, "account", "", "the one account it is for")
	f.IntVar(&r.Priority, "priority", 0, "of a segment: 1 is asked first")
	f.StringVar(&r.Currency, "currency", "", "segment: of the invoice, such as EUR")
	f.StringVar(&r.Country, "country", "", "segment: of the account, such as DE")
	f.StringVar(&r.Plan, "plan", "", "segment: the account's plan tag")
	f.StringVar(&from, "from", "", "segment: the invoice's total is at least this, in --currency")
	f.StringVar(&below, "below", "", "segment: the invoice's total is less than this, in --currency")
	o := orderFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var err error
		r.Account = billing.AccountID(account)
		if r.Policy, r.Version, err = policyRef(args[0]); err != nil {
			return err
		}
		if r.From, err = bound("--from", from, r.Currency); err != nil {
			return err
		}
		if r.Below, err = bound("--below", below, r.Currency); err != nil {
			return err
		}
		return withStore(c, open, func(s *store.Store) error {
			rule, fresh, err := s.AssignPolicy(c.Context(), r, signed(o))
			switch {
			case err != nil:
				return err
			case !fresh:
				fmt.Fprintf(c.OutOrStdout(), "Rule %d says so already: %s → %s; nothing changed.\n", rule.ID, rule.Says(), ruleTarget(rule))
			default:
				fmt.Fprintf(c.OutOrStdout(), "Rule %d: %s → %s, for cases opened from now on. Next: recoup policy assignments\n", rule.ID, rule.Says(), ruleTarget(rule))
			}
			return nil
		})
	}
	return c
}

// bound reads an amount of major units by its currency; "" is no bound.
func bound(flag, text, currency string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return nil, fmt.Errorf("%s: needs --currency, such as EUR", flag)
	}
	a, err := money.ParseDecimal(text, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	minor := a.Minor()
	return &minor, nil
}

func ruleTarget(r dunning.Assignment) string {
	if r.Version == 0 {
		return r.Policy
	}
	return fmt.Sprintf("%s@%d", r.Policy, r.Version)
}

func policyUnassignCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "unassign RULE", Short: "take a rule out of force, by its number", Args: cobra.ExactArgs(1)}
	o := orderFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no rule's number; recoup policy assignments lists them", args[0])
		}
		return withStore(c, open, func(s *store.Store) error {
			ended, err := s.EndAssignment(c.Context(), id, signed(o))
			switch {
			case err != nil:
				return err
			case !ended:
				fmt.Fprintf(c.OutOrStdout(), "Rule %d was not in force any more; nothing changed.\n", id)
			default:
				fmt.Fprintf(c.OutOrStdout(), "Rule %d is out of force for cases opened from now on.\n", id)
			}
			return nil
		})
	}
	return c
}

func policyAssignmentsCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	return &cobra.Command{
		Use: "assignments", Short: "list the rules in force, in the order they are asked", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c, open, func(s *store.Store) error {
				rules, err := s.Assignments(c.Context())
				if err != nil {
					return err
				}
				out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(out, "RULE\tFOR\tPOLICY\tSINCE\tBY\tWHY")
				segments := false
				imported := func() {
					fmt.Fprintln(out, "-\taccounts imported with a policy\ttheir own\t\t\t")
				}
				for _, r := range rules {
					if r.Account == "" && !segments {
						imported()
						segments = true
					}
					fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Says(), ruleTarget(r.Assignment), r.CreatedAt.UTC().Format(time.DateOnly), r.CreatedBy, r.Reason)
				}
				if !segments {
					imported()
				}
				fmt.Fprintf(out, "-\teverybody else\t%s\t\t\t\n", dunning.DefaultPolicy)
				return out.Flush()
			})
		},
	}
}

func policyExplainCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	return &cobra.Command{
		Use: "explain INVOICE", Short: "say which policy an invoice follows, and which rule chose it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withStore(c, open, func(s *store.Store) error {
				e, err := s.ExplainPolicy(c.Context(), billing.InvoiceID(args[0]))
				if err != nil {
					return err
				}
				w := c.OutOrStdout()
				if e.Case == "" {
					fmt.Fprintf(w, "No case of invoice %s is open yet.\nOne opened now would follow %s@%d: %s.\n", args[0], e.Now.Policy, e.Now.Version, e.Now.Because)
					return nil
				}
				because := e.Because
				if because == "" {
					because = "opened by an earlier release, which did not write down why"
				}
				if len(e.Moves) == 0 {
					fmt.Fprintf(w, "Case %s follows %s@%d: %s.\n", e.Case, e.Policy, e.Version, because)
				} else {
					first := e.Moves[0]
					fmt.Fprintf(w, "Case %s opened with %s@%d: %s.\n", e.Case, first.FromPolicy, first.FromVersion, because)
					for _, m := range e.Moves {
						fmt.Fprintf(w, "%s moved it to %s@%d at %s: %s.\n", m.Actor, m.ToPolicy, m.ToVersion, m.At.UTC().Format(time.RFC3339), m.Reason)
					}
				}
				fmt.Fprintf(w, "One opened now would follow %s@%d: %s.\n", e.Now.Policy, e.Now.Version, e.Now.Because)
				return nil
			})
		},
	}
}
