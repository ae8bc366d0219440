package workflows_test

import (
	"slices"
	"testing"
	"time"

	"recoup/billing"
	"recoup/money"
)

var (
	settling  = billing.Answer{State: billing.AttemptPending, Reference: "pi_1"}
	confirm   = billing.Answer{State: billing.AttemptActionRequired, Reference: "pi_1"}
	cancelled = billing.Answer{State: billing.AttemptDeclined, Reference: "pi_1", DeclineCode: "canceled"}
)

// bankFirst makes the first method a bank account.
func (p *play) bankFirst() {
	p.exec(`update payment_methods set kind = 'us_bank_account', brand = 'bank' where position = 1`)
}

func (p *play) told(kind string) int {
	return read[int](p, `select count(*)::int from notices where kind = $1 and channel = 'email'`, kind)
}

// TestU3CustomerWhoNeverConfirms: after a day the intent is cancelled at the gateway; only then the backup is tried.
func TestU3CustomerWhoNeverConfirms(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", confirm)
	p.books.looks = []billing.Answer{confirm}
	p.books.cancels = []billing.Answer{cancelled}
	p.books.says("b", yes)
	p.after(23*time.Hour, func() {
		if len(p.books.order) != 1 {
			t.Errorf("charged %v while the customer may still confirm", p.books.order)
		}
	})
	p.run()
	if !slices.Equal(p.books.order, []string{"a", "b"}) || p.books.taken != 4900 || len(p.books.cancels) != 0 {
		t.Errorf("charged %v, took %d, %d cancels left", p.books.order, p.books.taken, len(p.books.cancels))
	}
	if got := p.env.Now().Sub(opening); got < 24*time.Hour || got > 25*time.Hour {
		t.Errorf("ended after %s, want a day", got)
	}
	if p.told("action_required") != 1 {
		t.Errorf("the customer was asked %d times", p.told("action_required"))
	}
}

// TestA16TooLateItSucceeded: the customer confirms while we cancel; that is a success and no backup is charged.
func TestA16TooLateItSucceeded(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", confirm)
	p.books.looks = []billing.Answer{confirm}
	p.books.cancels = []billing.Answer{{State: billing.AttemptSucceeded, Reference: "pi_1", Captured: money.New(4900, usd)}}
	if got := p.run(); got.Outcome != billing.InvoicePaid {
		t.Errorf("ended %+v", got)
	}
	if !slices.Equal(p.books.order, []string{"a"}) || p.books.taken != 4900 {
		t.Errorf("charged %v, took %d", p.books.order, p.books.taken)
	}
}

// TestU3DebitThatNeverSettles: ten days, one notice, then the backup.
func TestU3DebitThatNeverSettles(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.bankFirst()
	p.books.says("a", settling)
	p.books.looks = []billing.Answer{settling}
	p.books.cancels = []billing.Answer{cancelled}
	p.books.says("b", yes)
	p.run()
	if got := p.env.Now().Sub(opening); got < 10*day || got > 11*day {
		t.Errorf("ended after %s, want ten days", got)
	}
	if !slices.Equal(p.books.order, []string{"a", "b"}) || p.told("payment_processing") != 1 {
		t.Errorf("charged %v, told %d times", p.books.order, p.told("payment_processing"))
	}
}

// TestU3WhatCannotBeCancelledIsAskedAbout: a bank may refuse; the debit stays the only one and a person is asked.
func TestU3WhatCannotBeCancelledIsAskedAbout(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.bankFirst()
	p.books.says("a", settling)
	p.books.looks = []billing.Answer{settling}
	p.books.cancels = []billing.Answer{silence, silence, silence}
	p.after(12*day, func() {
		if got := read[int](p, `select count(*)::int from tasks where kind = 'settlement_overdue'`); got != 1 {
			t.Errorf("%d tasks, want 1", got)
		}
		p.books.looks = []billing.Answer{{State: billing.AttemptSucceeded, Reference: "pi_1", Captured: money.New(4900, usd)}}
	})
	p.run()
	if !slices.Equal(p.books.order, []string{"a"}) {
		t.Errorf("charged %v: a debit that may still come was followed by another", p.books.order)
	}
}
