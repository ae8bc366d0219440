package billing

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"recoup/money"
)

func depositOf(id DepositID, minor int64, settled time.Time) Deposit {
	return Deposit{ID: id, AccountID: "acme", State: DepositSettled, Amount: money.New(minor, usd), Remaining: money.New(minor, usd),
		SettledAt: settled, CreatedAt: settled}
}

func uses(t *testing.T, i Invoice, due int64, deposits []Deposit, marketplace bool) []string {
	t.Helper()
	got, err := AllocateFunds(now, i, money.New(due, usd), deposits, marketplace)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, u := range got {
		out = append(out, fmt.Sprintf("%s %d", u.Deposit, u.Amount.Minor()))
	}
	return out
}

func TestAF1OldestSettledFirstAndPartsCoverParts(t *testing.T) {
	i := invoiceOf(usage(1, "EC2", 500))
	deposits := []Deposit{depositOf("new", 1000, day(11, 20)), depositOf("old", 200, day(11, 1))}
	want(t, uses(t, i, 500, deposits, false), "old 200", "new 300")
	want(t, uses(t, i, 100, deposits, false), "old 100")
	want(t, uses(t, i, 500, deposits[1:], false), "old 200") // the rest goes to the methods
	want(t, uses(t, i, 0, deposits, false))
	i.Allocated = money.New(450, usd)
	want(t, uses(t, i, 500, deposits, false), "old 50") // never above what is due
}

func TestAF3OnlySettledFundsAreUsable(t *testing.T) {
	i := invoiceOf(usage(1, "EC2", 500))
	d := depositOf("d", 1000, now)
	want(t, uses(t, i, 500, []Deposit{d}, false), "d 500")
	d.SettledAt = now.Add(time.Nanosecond)
	want(t, uses(t, i, 500, []Deposit{d}, false))
	for _, state := range []DepositState{DepositPending, DepositReturned, ""} {
		d := depositOf("d", 1000, day(11, 1))
		d.State = state
		want(t, uses(t, i, 500, []Deposit{d}, false))
	}
}

func TestAF2Restrictions(t *testing.T) {
	i := invoiceOf(usage(1, "EC2", 500))
	good := depositOf("d", 1000, day(11, 1))
	for name, change := range map[string]func(*Deposit){
		"another account":  func(d *Deposit) { d.AccountID = "other" },
		"another currency": func(d *Deposit) { d.Remaining = money.New(1000, money.MustCurrency("EUR")) },
		"used up":          func(d *Deposit) { d.Remaining = money.Zero(usd) },
	} {
		d := good
		change(&d)
		if got := uses(t, i, 500, []Deposit{d}, true); got != nil {
			t.Errorf("%s: used %v", name, got)
		}
	}
	i.Marketplace = true
	want(t, uses(t, i, 500, []Deposit{good}, false))
	want(t, uses(t, i, 500, []Deposit{good}, true), "d 500")
	if _, err := AllocateFunds(now, i, money.New(500, usd), []Deposit{good, good}, true); err == nil {
		t.Error("a deposit was taken twice")
	}
	if _, err := AllocateFunds(now, i, money.New(500, money.MustCurrency("EUR")), []Deposit{good}, true); err == nil {
		t.Error("due in another currency was taken")
	}
}

func TestAF1FundsAreUsedUpAndNotOverspent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := invoiceOf(usage(1, "EC2", rapid.Int64Range(0, 1000).Draw(t, "total")))
		due := rapid.Int64Range(0, i.Total.Minor()).Draw(t, "due")
		var deposits []Deposit
		var there int64
		for n := range rapid.IntRange(0, 5).Draw(t, "deposits") {
			d := depositOf(DepositID(fmt.Sprint("d", n)), 1000, day(11, rapid.IntRange(1, 28).Draw(t, "settled")))
			d.Remaining = money.New(rapid.Int64Range(0, 400).Draw(t, "remaining"), usd)
			there += d.Remaining.Minor()
			deposits = append(deposits, d)
		}
		got, err := AllocateFunds(now, i, money.New(due, usd), deposits, false)
		if err != nil {
			t.Fatal(err)
		}
		var used int64
		for n, u := range got {
			used += u.Amount.Minor()
			left := deposits[int(u.Deposit[1]-'0')]
			if !u.Amount.IsPositive() || u.Amount.Minor() > left.Remaining.Minor() {
				t.Fatalf("%v of %v", u, left)
			}
			if n < len(got)-1 && u.Amount != left.Remaining {
				t.Fatalf("%s is left over while a newer one is used", u.Deposit)
			}
		}
		if used != min(due, there) {
			t.Fatalf("used %d, due %d, there were %d", used, due, there)
		}
	})
}
