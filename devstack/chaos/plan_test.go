package chaos

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"recoup/billing"
	"recoup/intake"
)

func TestSamePlanForTheSameSeed(t *testing.T) {
	a, b := Plan(7, time.Minute), Plan(7, time.Minute)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed gave two plans")
	}
	if reflect.DeepEqual(a, Plan(8, time.Minute)) {
		t.Error("two seeds gave one plan")
	}
}

// However short a run, its plan holds everything that is promised and the plan's to do; the rest comes with the cast.
func TestPlanHoldsEveryPromisedKind(t *testing.T) {
	ofTheCast := map[Kind]bool{MailRefused: true, MailDeferred: true, Imported: true, MethodAdded: true, FundsArrived: true}
	for _, length := range []time.Duration{20 * time.Second, time.Minute, 10 * time.Minute} {
		planned := map[Kind]int{}
		for _, a := range Plan(1, length) {
			if a.At < 0 || a.At > length {
				t.Errorf("%s is to happen at %s of %s", a.Kind, a.At, length)
			}
			planned[a.Kind]++
		}
		for _, g := range groups() {
			for _, k := range g.kinds {
				if planned[k] == 0 && !ofTheCast[k] {
					t.Errorf("%s: no %q is planned", length, k)
				}
			}
		}
	}
}

func TestSameCastForTheSameSeed(t *testing.T) {
	a, b := Cast(7, 300, time.Minute), Cast(7, 300, time.Minute)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed gave two casts")
	}
	if reflect.DeepEqual(a, Cast(8, 300, time.Minute)) {
		t.Error("two seeds gave one cast")
	}
}

// The files are what recoup import takes, in three currencies, with exactly the invoices asked for and every token of the gateway.
func TestCastIsImportable(t *testing.T) {
	const invoices = 300
	accounts, currencies, tokens := map[billing.AccountID]bool{}, map[string]bool{}, map[string]bool{}
	total, shared := 0, 0
	for _, w := range Cast(3, invoices, time.Minute) {
		batch, err := intake.ReadLines(bytes.NewReader(w.Lines))
		if err != nil {
			t.Fatalf("%s: %v", w.Name, err)
		}
		if len(batch.Invoices) != w.Invoices {
			t.Errorf("%s says %d invoices and has %d", w.Name, w.Invoices, len(batch.Invoices))
		}
		total += len(batch.Invoices)
		for _, a := range batch.Accounts {
			accounts[a.Account.ID] = true
			if a.Account.CreditSharing {
				shared++
			}
		}
		for _, i := range batch.Invoices {
			if !accounts[i.Invoice.AccountID] {
				t.Errorf("%s: invoice %s comes before its account", w.Name, i.Invoice.ID)
			}
			currencies[i.Invoice.Total.Currency().Code()] = true
		}
		for _, m := range batch.Methods {
			tokens[m.Method.Token] = true
		}
	}
	if total != invoices || len(currencies) != 3 || shared == 0 {
		t.Errorf("%d invoices in %v, %d organisations share credits", total, currencies, shared)
	}
	for _, want := range everyToken() {
		if !tokens[want.name] {
			t.Errorf("nobody has a method %s", want.name)
		}
	}
}

func TestWavesEndBeforeTheFaults(t *testing.T) {
	for _, w := range Cast(1, 500, 10*time.Minute) {
		if w.At > 7*time.Minute {
			t.Errorf("%s comes at %s of 10 minutes", w.Name, w.At)
		}
	}
}
