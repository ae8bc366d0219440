package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/gateway"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

// oneCharge is a gateway whose list has these payments.
type oneCharge struct {
	gateway.Gateway
	list []billing.ListedCharge
}

func (oneCharge) Name() string { return "stripe" }

func (g oneCharge) ListCharges(context.Context, time.Time, time.Time, string) (gateway.ChargePage, error) {
	return gateway.ChargePage{Charges: g.list}, nil
}

func TestReconcilePrintsEachMismatchAndFails(t *testing.T) {
	database := pgtest.New(t)
	var list []billing.ListedCharge
	reconcile := func(open func(context.Context) (*store.Store, error)) *cobra.Command {
		return reconcileCommand(reconcileEnv{Open: open, Log: slog.New(slog.DiscardHandler), Gateways: func(context.Context) ([]gateway.Gateway, error) {
			return []gateway.Gateway{oneCharge{list: list}}, nil
		}})
	}
	out, err := command(t, database, reconcile)
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "nothing to compare", out, "0 payments and 0 receipts compared, 0 mismatches")

	list = []billing.ListedCharge{{Reference: "pi_1", Attempt: "a-stranger", Taken: money.New(4900, money.MustCurrency("USD")), At: time.Now()}}
	out, err = command(t, database, reconcile)
	if !errors.Is(err, errMismatch) {
		t.Errorf("the command ends with %v", err)
	}
	wantIn(t, "a stray payment", out, "charge_without_attempt  stripe  payment pi_1", "1 mismatches, 1 of them new")
	out, err = command(t, database, reconcile)
	if !errors.Is(err, errMismatch) {
		t.Errorf("the command ends with %v the second time", err)
	}
	wantIn(t, "the same again", out, "1 mismatches, 0 of them new")

	for _, bad := range [][]string{{"--from", "yesterday"}, {"--from", "2026-11-02T00:00:00Z", "--to", "2026-11-01T00:00:00Z"}} {
		if _, err := command(t, database, reconcile, bad...); err == nil {
			t.Errorf("%v went well", bad)
		}
	}
}
