package billing

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"recoup/money"
)

// balances sums postings by ledger account.
func balances(t interface{ Fatal(...any) }, postings ...Posting) map[string]int64 {
	out := map[string]int64{}
	for _, p := range postings {
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries {
			out[e.Account.Code()] += e.Amount.Minor()
		}
	}
	for code, n := range out {
		if n == 0 {
			delete(out, code)
		}
	}
	return out
}

func wantBalances(t *testing.T, got map[string]int64, want map[string]int64) {
	t.Helper()
	for code, n := range want {
		if got[code] != n {
			t.Errorf("%s is %d, want %d", code, got[code], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("balances are %v, want %v", got, want)
	}
}

var (
	bill  = invoiceOf(usage(1, "EC2", 1000))
	grant = creditOf("welcome", 300)
	fund  = depositOf("dep-1", 500, day(11, 1))
)

func dollars(minor int64) money.Amount { return money.New(minor, usd) }

// An invoice paid from all sources, step by step.
func TestM2AnInvoicePaidFromEverySource(t *testing.T) {
	receipt, split := Receipt("stripe", bill, dollars(450), dollars(450))
	wantBalances(t, balances(t,
		InvoiceIssued(bill), CreditGranted(grant), DepositArrived(fund),
		CreditApplied("acme", bill, Application{Credit: "welcome", Line: 1, Amount: dollars(250)}),
		FundsUsed(bill, Use{Deposit: "dep-1", Amount: dollars(300)}),
		receipt,
	), map[string]int64{
		"revenue": -1000, "promotion_expense": 300, "credit_liability:welcome": -50,
		"bank": 500, "advance_funds:dep-1": -200, "gateway_clearing:stripe": 450,
	})
	if split.ToInvoice != dollars(450) || !split.Unapplied.IsZero() {
		t.Errorf("split %+v", split)
	}
}

func TestU4MoneyIsAlwaysBooked(t *testing.T) {
	eur := money.New(500, money.MustCurrency("EUR"))
	cases := []struct {
		name                 string
		due, captured        money.Amount
		toInvoice, unapplied int64
	}{
		{"exact", dollars(1000), dollars(1000), 1000, 0},
		{"less", dollars(1000), dollars(400), 400, 0},
		{"more", dollars(1000), dollars(1300), 1000, 300},
		{"nothing due", dollars(0), dollars(1000), 0, 1000},
		{"another currency", dollars(1000), eur, 0, 500},
	}
	for _, c := range cases {
		for _, build := range []func() (Posting, Split){
			func() (Posting, Split) { return Receipt("stripe", bill, c.due, c.captured) },
			func() (Posting, Split) { return OutOfBand(bill, c.due, c.captured) },
		} {
			p, split := build()
			if split.ToInvoice.Minor() != c.toInvoice || split.Unapplied.Minor() != c.unapplied {
				t.Errorf("%s: split %+v", c.name, split)
			}
			got := balances(t, p)
			if got["receivable:inv-1"] != -c.toInvoice || got["unapplied_funds:acme"] != -c.unapplied ||
				got["gateway_clearing:stripe"]+got["bank"] != c.captured.Minor() {
				t.Errorf("%s: booked %v", c.name, got)
			}
		}
	}
	if p, _ := Receipt("stripe", bill, dollars(1), dollars(0)); p.Check() == nil {
		t.Error("a receipt of nothing was booked")
	}
	if p, _ := OutOfBand(bill, dollars(1), dollars(-5)); p.Check() == nil {
		t.Error("a receipt below zero was booked")
	}
}

func TestM2UnappliedFundsAreUsedOrRefunded(t *testing.T) {
	over, _ := Receipt("stripe", bill, dollars(1000), dollars(1600))
	other := bill
	other.ID = "inv-2"
	wantBalances(t, balances(t, over, UnappliedUsed(other, dollars(200)), UnappliedRefunded("acme", "stripe", dollars(300)),
		UnappliedRefunded("acme", "", dollars(100))), map[string]int64{
		"gateway_clearing:stripe": 1300, "receivable:inv-1": -1000, "receivable:inv-2": -200, "bank": -100,
	})
}

func TestM2VoidLeavesNothing(t *testing.T) {
	applied := CreditApplied("acme", bill, Application{Credit: "welcome", Line: 1, Amount: dollars(250)})
	received, _ := Receipt("stripe", bill, dollars(750), dollars(100))
	wantBalances(t, balances(t,
		InvoiceIssued(bill), CreditGranted(grant), applied, received,
		applied.Reversed(), MovedToUnapplied(bill, dollars(100)), Void(bill, dollars(1000)),
	), map[string]int64{
		"promotion_expense": 300, "credit_liability:welcome": -300, "gateway_clearing:stripe": 100, "unapplied_funds:acme": -100,
	})
	if p := Void(bill, dollars(900)); p.Check() == nil {
		t.Error("an invoice with something allocated was voided")
	}
}

func TestM2WriteOffExpiryAndReturnedDeposit(t *testing.T) {
	wantBalances(t, balances(t,
		InvoiceIssued(bill), WriteOff(bill, dollars(1000)), CreditGranted(grant), CreditExpired(grant, dollars(300)),
		DepositArrived(fund), DepositTakenBack(fund),
	), map[string]int64{"revenue": -1000, "bad_debt": 1000})
}

// Every builder with any amount: either refused, or balanced; and taking it back leaves nothing.
func TestM2PostingsBalanceOrAreRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.OneOf(rapid.Int64Range(-3, 2000), rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64})).Draw(t, "amount")
		a := dollars(minor)
		i, c, d := bill, grant, fund
		i.Total, c.Granted, d.Amount = a, a, a
		receipt, _ := Receipt("stripe", i, dollars(700), a)
		outOfBand, _ := OutOfBand(i, dollars(700), a)
		for _, p := range []Posting{
			InvoiceIssued(i), CreditGranted(c), CreditApplied("acme", i, Application{Credit: c.ID, Amount: a}), CreditExpired(c, a),
			DepositArrived(d), DepositTakenBack(d), FundsUsed(i, Use{Deposit: d.ID, Amount: a}), receipt, outOfBand,
			MovedToUnapplied(i, a), UnappliedUsed(i, a), UnappliedRefunded("acme", "", a), Void(i, a), WriteOff(i, a),
		} {
			if err := p.Check(); (err == nil) != (minor > 0) {
				t.Fatalf("%s of %d: %v", p.Kind, minor, err)
			}
			back := p.Reversed()
			if minor <= 0 {
				if back.Check() == nil {
					t.Fatalf("%s of %d can be taken back", p.Kind, minor)
				}
				continue
			}
			if !strings.HasSuffix(string(back.Kind), "_reversed") {
				t.Fatalf("taking back %s is called %s", p.Kind, back.Kind)
			}
			if left := balances(t, p, back); len(left) > 0 {
				t.Fatalf("%s and its reversal leave %v", p.Kind, left)
			}
		}
	})
}

func TestM2CheckRefuses(t *testing.T) {
	a, b := ReceivableOf("acme", "inv-1"), Revenue()
	eur := money.MustCurrency("EUR")
	bad := map[string]Posting{
		"nothing":             {},
		"one entry":           {Kind: "x", Entries: []Entry{{a, dollars(1)}}},
		"no kind":             {Entries: []Entry{{a, dollars(1)}, {b, dollars(-1)}}},
		"a zero":              {Kind: "x", Entries: []Entry{{a, dollars(0)}, {b, dollars(0)}}},
		"no currency":         {Kind: "x", Entries: []Entry{{a, money.Amount{}}, {b, money.Amount{}}}},
		"not zero":            {Kind: "x", Entries: []Entry{{a, dollars(2)}, {b, dollars(-1)}}},
		"zero over two":       {Kind: "x", Entries: []Entry{{a, dollars(1)}, {b, money.New(-1, eur)}}},
		"overflow":            {Kind: "x", Entries: []Entry{{a, dollars(math.MinInt64)}, {b, dollars(math.MinInt64)}}},
		"unknown account":     {Kind: "x", Entries: []Entry{{LedgerAccount{Kind: "pocket"}, dollars(1)}, {b, dollars(-1)}}},
		"receivable of none":  {Kind: "x", Entries: []Entry{{LedgerAccount{Kind: LedgerReceivable, Account: "acme"}, dollars(1)}, {b, dollars(-1)}}},
		"credit of nobody":    {Kind: "x", Entries: []Entry{{LedgerAccount{Kind: LedgerCreditLiability, Credit: "c"}, dollars(1)}, {b, dollars(-1)}}},
		"bank of an account":  {Kind: "x", Entries: []Entry{{LedgerAccount{Kind: LedgerBank, Account: "acme"}, dollars(1)}, {b, dollars(-1)}}},
		"clearing of nothing": {Kind: "x", Entries: []Entry{{GatewayClearingOf(""), dollars(1)}, {b, dollars(-1)}}},
		"funds of an invoice": {Kind: "x", Entries: []Entry{
			{LedgerAccount{Kind: LedgerUnappliedFunds, Account: "acme", Invoice: "inv-1"}, dollars(1)}, {b, dollars(-1)}}},
	}
	for name, p := range bad {
		if err := p.Check(); err == nil {
			t.Errorf("%s: booked", name)
		}
	}
	if err := bad["not zero"].Check(); !errors.Is(err, ErrUnbalanced) {
		t.Errorf("not zero: %v", err)
	}
	two := Posting{Kind: "x", Entries: []Entry{{a, dollars(1)}, {b, dollars(-1)}, {a, money.New(5, eur)}, {b, money.New(-5, eur)}}}
	if err := two.Check(); err != nil {
		t.Errorf("balanced in two currencies: %v", err)
	}
}

func TestLedgerCodesDiffer(t *testing.T) {
	seen := map[string]LedgerAccount{}
	for _, a := range []LedgerAccount{
		ReceivableOf("acme", "x"), CreditLiabilityOf("acme", "x"), AdvanceFundsOf("acme", "x"), UnappliedFundsOf("x"), GatewayClearingOf("x"),
		Bank(), Revenue(), PromotionExpense(), BadDebt(), ReceivableOf("acme", "y"),
	} {
		if other, twice := seen[a.Code()]; twice {
			t.Errorf("%+v and %+v are both %s", a, other, a.Code())
		}
		seen[a.Code()] = a
	}
}
