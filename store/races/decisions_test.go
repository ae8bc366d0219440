package races

import (
	"context"
	"fmt"

	"recoup/billing"
	"recoup/money"
	"recoup/store"
)

// decisionOperations are decisions that need more than the everyday ones: something in flight to be about, a second person, or an account.
var decisionOperations = []operation{
	{name: "verdict", invoice: "lost", pokes: true, decides: kinds(billing.ResolveUnknown), do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		// A person finds what a look-up finds.
		id := w.attempt(invoice)
		w.gateway.take(id, w.invoice(invoice), money.New(4900, usd))
		return resolve(ctx, s, w, invoice, "verdict", billing.Resolution{Kind: billing.ResolveUnknown, Verdict: billing.Captured, Reference: "pi_" + string(id)})
	}},
	{name: "confirm an end", invoice: "big", pokes: true, decides: kinds(billing.VoidInvoice), do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		_, err := s.Resolve(ctx, billing.Resolution{Kind: billing.VoidInvoice, Case: w.caseOf(invoice), RequestID: w.id("confirm"), Actor: "bob",
			Reason: "agreed", Confirms: w.id("setup-big")})
		return err
	}},
	{name: "close the account", pokes: true, decides: kinds(billing.CloseAccount), do: decide("close", billing.Resolution{Kind: billing.CloseAccount})},
	{name: "hold the account", ofAccount: true, decides: kinds(billing.Hold), do: decideAll(billing.Resolution{Kind: billing.Hold, Until: present.Add(3 * day)})},
	{name: "release the account", ofAccount: true, decides: kinds(billing.Hold, billing.Release), do: decideAll(
		billing.Resolution{Kind: billing.Hold, Until: present.Add(2 * day)}, billing.Resolution{Kind: billing.Release})},
	{name: "never suspend the account, taken back", ofAccount: true, decides: kinds(billing.NeverSuspend, billing.Reverse), do: decideAll(
		billing.Resolution{Kind: billing.NeverSuspend, Until: present.Add(2 * day)}, billing.Resolution{Kind: billing.Reverse})},
	{name: "suspend, reinstate, close the account", ofAccount: true, decides: kinds(billing.SuspendNow, billing.Reinstate, billing.CloseAccount), do: decideAll(
		billing.Resolution{Kind: billing.SuspendNow}, billing.Resolution{Kind: billing.Reinstate}, billing.Resolution{Kind: billing.CloseAccount})},
}

func kinds(all ...billing.ResolutionKind) []billing.ResolutionKind { return all }

// decideAll decides about the account as a whole, one after the other; a reverse takes the one before back.
func decideAll(all ...billing.Resolution) func(context.Context, *store.Store, *world, string) error {
	return func(ctx context.Context, s *store.Store, w *world, _ string) error {
		before := ""
		for _, r := range all {
			r.Account, r.RequestID, r.Actor, r.Reason = w.account("kid"), w.id(fmt.Sprintf("%d-%s-of-all-%s", len(all), r.Kind, all[0].Kind)), "ada", "as agreed"
			if r.Kind == billing.Reverse {
				r.Reverses = before
			}
			if _, err := s.Resolve(ctx, r); err != nil {
				return err
			}
			before = r.RequestID
		}
		return nil
	}
}
