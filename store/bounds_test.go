package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// spent adds n declined attempts on a method for another invoice of its account, every hour up to an hour ago.
func (w *world) spent(account, method string, n int, code string) {
	w.t.Helper()
	invoice := "old-" + account
	w.invoice(invoice, account, 4900)
	w.open(invoice)
	w.spentOn(invoice, method, n, code)
}

// spentOn adds n declined attempts on a method for an invoice.
func (w *world) spentOn(invoice, method string, n int, code string) {
	w.t.Helper()
	w.exec(`insert into attempts (id, case_id, invoice_id, account_id, method_id, gateway, round, position, state, amount_minor, currency,
			first_sent_at, sends, created_at, ended_at, network_code)
		select gen_random_uuid(), c.id, c.invoice_id, c.account_id, $2, 'stripe', -n, 1, 'declined', 100, 'USD', at, 1, at, at, $5
		from cases c, generate_series(1, $3::int) n, lateral (select $4::timestamptz - n * interval '1 hour' as at) t where c.invoice_id = $1`,
		invoice, method, n, w.now, code)
}

// card adds one card with its own token.
func (w *world) card(account, method, brand, token string) {
	w.t.Helper()
	w.method(account, method, "card", brand, token)
}

func (w *world) method(account, method, kind, brand, token string) {
	w.t.Helper()
	w.exec(`insert into payment_methods (id, account_id, gateway, token, kind, brand, last4, position, added_at)
		select $2, $1, 'stripe', $5, $3, $4, '4242', 1 + count(*), $6 from payment_methods where account_id = $1`,
		account, method, kind, brand, token, noon)
}

func TestD4BudgetsAreOfTheInstrumentAcrossAccounts(t *testing.T) {
	for _, c := range []struct {
		brand string
		limit int
	}{{"visa", billing.VisaAttemptsIn30d}, {"mastercard", billing.MastercardAttemptsIn24h}} {
		for _, used := range []int{c.limit - 1, c.limit} {
			t.Run(fmt.Sprint(c.brand, used), func(t *testing.T) {
				w := newWorld(t)
				w.account("one")
				w.account("two")
				w.card("one", "pm-one", c.brand, "pm_1Shared")
				w.card("two", "pm-two", c.brand, "pm_1Shared")
				w.card("two", "pm-two-b", "visa", "pm_1Other")
				w.spent("one", "pm-one", used, "51")
				w.invoice("inv-2", "two", 4900)
				id := w.open("inv-2")
				step := w.review(id)
				w.want(step, dunning.DoCharge, dunning.StageCollecting)
				want, tasks := billing.MethodID("pm-two"), 0
				if used == c.limit {
					want, tasks = "pm-two-b", 1
				}
				if step.Method != want {
					t.Errorf("charges %s, want %s", step.Method, want)
				}
				if n := scan[int](w, `select count(*)::int from tasks where kind = 'budget_used_up'`); n != tasks {
					t.Errorf("%d tasks, want %d", n, tasks)
				}
			})
		}
	}
}

func TestD4TwoAccountsAtOnceTakeTheLastPlaceOnce(t *testing.T) {
	w := newWorld(t)
	w.account("zero")
	w.card("zero", "pm-zero", "visa", "pm_1Shared")
	w.spent("zero", "pm-zero", billing.VisaAttemptsIn30d-1, "51")
	var ids []billing.CaseID
	for i := range 6 {
		account := fmt.Sprint("acc-", i)
		w.account(account)
		w.card(account, "pm-"+account, "visa", "pm_1Shared")
		w.invoice("inv-"+account, account, 4900)
		id := w.open("inv-" + account)
		w.want(w.review(id), dunning.DoCharge, dunning.StageCollecting)
		ids = append(ids, id)
	}
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() {
			c, _, err := w.BeginAttempt(context.Background(), id, billing.MethodID(fmt.Sprint("pm-acc-", i)), window)
			if err == nil && c != nil {
				err = w.MarkSent(context.Background(), c.Attempt, window)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := scan[int](w, `select count(*)::int from attempts where state = 'sent'`); n != 1 {
		t.Errorf("%d attempts were sent, want the last one of the budget", n)
	}
}

func TestD4TheLastOfABudgetIsNotSkippedForItself(t *testing.T) {
	w := newWorld(t)
	w.account("acme")
	w.card("acme", "pm-1", "visa", "pm_1Own")
	w.spent("acme", "pm-1", billing.VisaAttemptsIn30d-1, "51")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.charge(w.review(id), id, throttled)
	w.want(step, dunning.DoWait, dunning.StageCollecting)
	w.now = step.At
	w.want(w.charge(w.review(id), id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if n := scan[int](w, `select count(*)::int from attempts where invoice_id = 'inv-1'`); n != 1 {
		t.Errorf("%d attempts, want the same one again", n)
	}
}

func TestD4ABankDebitIsRepeatedOnlyForLackOfMoney(t *testing.T) {
	for _, c := range []struct {
		kind, said string
		presented  int
		usable     bool
	}{
		{"us_bank_account", "R01", 1, true}, {"us_bank_account", "r09", 2, true}, {"us_bank_account", "R01", 3, false},
		{"us_bank_account", "R08", 1, false}, {"us_bank_account", "", 1, false}, {"us_bank_account", "AM04", 1, false},
		{"sepa_debit", "AM04", 2, true}, {"sepa_debit", "MS03", 1, true}, {"sepa_debit", "AM04", 3, false}, {"sepa_debit", "MD06", 1, false},
	} {
		t.Run(fmt.Sprintf("%s %s %d", c.kind, c.said, c.presented), func(t *testing.T) {
			w := newWorld(t)
			w.account("acme")
			w.method("acme", "pm-1", c.kind, "bank", "pm_1Bank")
			w.invoice("inv-1", "acme", 4900)
			id := w.open("inv-1")
			w.spentOn("inv-1", "pm-1", c.presented, c.said)
			step := w.review(id)
			if got := step.Do == dunning.DoCharge; got != c.usable {
				t.Errorf("next is %s (%s); charged %v, want %v", step.Do, step.Why, got, c.usable)
			}
			if n := scan[int](w, `select count(*)::int from tasks where kind = 'budget_used_up'`); (n == 0) != c.usable {
				t.Errorf("%d tasks", n)
			}
			w.invoice("inv-2", "acme", 4900) // another invoice has presentments of its own
			w.want(w.review(w.open("inv-2")), dunning.DoCharge, dunning.StageCollecting)
		})
	}
}

func TestD4TheLastReturnIsThatOfTheLastPresentment(t *testing.T) {
	w := newWorld(t)
	w.account("acme")
	w.method("acme", "pm-1", "us_bank_account", "bank", "pm_1Bank")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.spentOn("inv-1", "pm-1", 2, "R01")
	// Both were made at one instant, as a retry right after an outage is; the ids tell which was the last.
	w.exec(`update attempts set created_at = $1`, noon.Add(-time.Hour))
	w.exec(`update attempts set id = 'ffffffff-ffff-7fff-bfff-ffffffffffff', network_code = 'R02' where id = (select max(id::text)::uuid from attempts)`)
	if step := w.review(id); step.Do == dunning.DoCharge {
		t.Errorf("next is a charge of %s, whose last presentment came back with R02", step.Method)
	}
}

func TestD4AnotherBankAccountMayBeTriedAfterOneIsGone(t *testing.T) {
	w := newWorld(t)
	w.account("acme")
	w.method("acme", "pm-1", "us_bank_account", "bank", "pm_1Gone")
	w.method("acme", "pm-2", "us_bank_account", "bank", "pm_1New")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.spentOn("inv-1", "pm-1", 1, "R02")
	if step := w.review(id); step.Do != dunning.DoCharge || step.Method != "pm-2" {
		t.Errorf("next is %s %s", step.Do, step.Method)
	}
}

func TestPM2TheBoundOfADayParksNothingForAMethodThatCannotBeCharged(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.spentOn("inv-1", "pm-1", dunning.DefaultChargesPerDay-1, "51")
	step := w.charge(w.review(id), id, declined)
	w.want(step, dunning.DoCharge, dunning.StageCollecting)
	w.exec(`update payment_methods set state = 'blocked' where id = 'pm-2'`)
	if step = w.charge(step, id, succeeded); step.Paused || step.Stage != dunning.StageRetrying {
		t.Errorf("next is %s in %s (%s), want the wait for the next round", step.Do, step.Stage, step.Why)
	}
}

func TestJ5TooManyChargesOfOneDayParkTheCase(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.spentOn("inv-1", "pm-1", dunning.DefaultChargesPerDay-1, "51")
	step := w.charge(w.review(id), id, declined)
	w.want(step, dunning.DoCharge, dunning.StageCollecting)
	step = w.charge(step, id, succeeded) // one too many
	w.want(step, dunning.DoWait, dunning.StageCollecting)
	if !step.Paused || !strings.Contains(step.Why, "8 charges of the invoice within 24 hours") {
		t.Errorf("waits for %q", step.Why)
	}
	if n := scan[int](w, `select count(*)::int from tasks where kind = 'charge_bound' and case_id = $1 and closed_at is null`, id); n != 1 {
		t.Errorf("%d tasks, want one", n)
	}
	retry := func(id string) error {
		_, err := w.Resolve(context.Background(), billing.Resolution{RequestID: id, Kind: billing.RetryNow, Case: "inv-1", Actor: "anna", Reason: "looked at it"})
		return err
	}
	var refusal *billing.Refusal
	if err := retry("r-1"); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "the next may go at") {
		t.Errorf("a person went over the bound: %v", err)
	}
	w.now = w.now.Add(40 * 24 * time.Hour) // it never proceeds by itself
	w.want(w.review(id), dunning.DoWait, dunning.StageCollecting)
	if err := retry("r-2"); err != nil {
		t.Fatal(err)
	}
	w.want(w.charge(w.review(id), id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if n := scan[int](w, `select count(*)::int from tasks where kind = 'charge_bound' and closed_at is null`); n != 0 {
		t.Errorf("%d tasks are still open", n)
	}
	if got, want := scan[int64](w, `select clock_shift_seconds from cases where id = $1`, id), int64(40*24*3600); got < want {
		t.Errorf("the stage clock moved by %d s while parked, want at least %d", got, want)
	}
}
