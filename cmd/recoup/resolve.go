package main

import (
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/money"
)

// resolveFlags are the fields of a resolution as a person types them.
type resolveFlags struct {
	billing.Resolution
	method, amount, currency string
	until                    string
}

const sameRequest = `Records a decision and carries it out in one transaction; workflows re-read themselves then. The same --request-id returns the
first answer, so a command whose answer was lost can be given again. Above the policy's sum a decision waits for a second person, who gives
the same command with --confirms and the first one's request id. docs/resolutions.md has the fields and limits of each kind.`

func caseResolveCommand() *cobra.Command {
	var f resolveFlags
	c := &cobra.Command{
		Use: "resolve CASE KIND", Args: cobra.ExactArgs(2),
		Short: "decide about a case: " + names(billing.ResolutionKinds()),
		Long:  sameRequest,
		Example: `  recoup case resolve inv-1 paid_out_of_band --amount 49.00 --currency USD --reference "CHQ 1207" --received-on 2026-11-20 --reason "cheque arrived"
  recoup case resolve inv-1 hold --until 2026-11-30T00:00:00Z --reason "customer disputes by phone"
  recoup case resolve inv-1 promise_to_pay --until 2026-11-30 --amount 49.00 --currency USD --reason "pays at the end of the month"
  recoup case resolve inv-1 dispute --amount 20.00 --currency USD --claim "the second server was never ordered" --reason "ticket 17"
  recoup case resolve inv-1 end_dispute --outcome upheld --reason "they are right"
  recoup case resolve inv-1 write_off --reason "bankrupt"
  recoup case resolve inv-1 reverse --reverses cli-0198c0de --reason "wrong invoice"
  recoup case resolve inv-1 resolve_unknown --verdict captured --reference pi_123 --reason "found in the gateway's dashboard"`,
		RunE: func(c *cobra.Command, args []string) error {
			f.Case = billing.CaseID(args[0])
			return f.run(c, args[1])
		},
	}
	f.register(c)
	return c
}

// accountCommand decides about accounts as a whole.
func accountCommand() *cobra.Command {
	var f resolveFlags
	resolve := &cobra.Command{
		Use: "resolve ACCOUNT KIND", Args: cobra.ExactArgs(2),
		Short: "decide about an account and all its cases: " + names(billing.AccountKinds()),
		Long:  sameRequest,
		Example: `  recoup account resolve acme hold --until 2026-11-30 --reason "their bank is down"
  recoup account resolve acme never_suspend --until 2027-01-01 --reason "a hospital"
  recoup account resolve acme suspend_now --reason "abuse"
  recoup account resolve acme reinstate --reason "mistake"`,
		RunE: func(c *cobra.Command, args []string) error {
			f.Account = billing.AccountID(args[0])
			return f.run(c, args[1])
		},
	}
	f.register(resolve)
	c := &cobra.Command{Use: "account", Short: "decide about accounts, and let their people in"}
	c.AddCommand(resolve, portalLinkCommand(openStore))
	return c
}

func (f *resolveFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.RequestID, "request-id", "", "makes the decision idempotent; one is made when missing")
	flags.StringVar(&f.Actor, "actor", "", "who decides (default: the user of this shell)")
	flags.StringVar(&f.Reason, "reason", "", "why (required)")
	flags.StringVar(&f.amount, "amount", "", "paid_out_of_band, promise_to_pay, dispute, grant_credit: in major units, 49.00")
	flags.StringVar(&f.currency, "currency", "", "of --amount: ISO 4217 code")
	flags.StringVar(&f.Reference, "reference", "", "paid_out_of_band: cheque number or transfer reference; resolve_unknown: the payment at the gateway, pi_…")
	flags.StringVar(&f.ReceivedOn, "received-on", "", "paid_out_of_band: date, 2026-11-20")
	flags.StringVar((*string)(&f.Verdict), "verdict", "", "resolve_unknown: captured (with --reference) or not_captured (with --evidence)")
	flags.StringVar(&f.Evidence, "evidence", "", "resolve_unknown: how it is known that nothing was captured")
	flags.StringVar(&f.method, "method", "", "retry_now: only this payment method")
	flags.StringVar(&f.until, "until", "", "hold, promise_to_pay, extend, never_suspend: 2026-11-30T00:00:00Z, or a date, which begins at 00:00 UTC")
	flags.StringSliceVar(&f.Scope, "scope", nil, "hold: attempts, notices, suspension (default: all)")
	flags.BoolVar(&f.Override, "override", false, "promise_to_pay: a supervisor allows one more than the limits do")
	flags.StringVar(&f.Claim, "claim", "", "dispute: what the customer says")
	flags.StringVar((*string)(&f.Outcome), "outcome", "", "end_dispute: upheld (the part is credited) or rejected (it is collected)")
	flags.StringVar(&f.Reverses, "reverses", "", "reverse: the request id of the decision to take back")
	flags.StringVar(&f.Confirms, "confirms", "", "the request id of a decision of this kind that waits for a second person")
}

func (f *resolveFlags) run(c *cobra.Command, kind string) error {
	r, err := f.resolution(kind)
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
}

func names(all []billing.ResolutionKind) string {
	var names []string
	for _, k := range all {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// resolution turns what was typed into a resolution; errors name the flag.
func (f *resolveFlags) resolution(kind string) (billing.Resolution, error) {
	r := f.Resolution
	r.Kind, r.Method = billing.ResolutionKind(kind), billing.MethodID(f.method)
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
			until, err = time.Parse(time.DateOnly, f.until)
		}
		if err != nil {
			return r, billing.Refuse(billing.RefusedInvalid, "--until", "%q is neither a time such as 2026-11-30T00:00:00Z nor a date", f.until)
		}
		r.Until = until
	}
	return r, r.Check()
}
