package model_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"recoup/audit/model"
	"recoup/dunning"
	"recoup/money"
)

var start = time.Date(2026, 11, 2, 9, 20, 0, 0, time.UTC)

func plain(t *testing.T, answers ...model.Answer) model.Case {
	t.Helper()
	policy, err := dunning.Latest("standard")
	if err != nil {
		t.Fatal(err)
	}
	return model.Case{Zone: time.UTC, Policy: policy, Currency: money.MustCurrency("USD"), Start: start, Jitter: 20 * time.Minute, Pause: time.Hour,
		Lines: []model.Line{{Service: "Compute", Amount: 4900}}, Methods: []model.Method{{ID: "a", Brand: "visa", Answers: answers}}}
}

// days are the local days, from the start, of entries that begin with what.
func days(o model.Outcome, what string) (all []int) {
	for _, e := range o.Timeline {
		if strings.HasPrefix(e.What, what) {
			all = append(all, int(e.At.Sub(start.Truncate(24*time.Hour)).Hours())/24)
		}
	}
	return all
}

// TestD5TheStandardPolicy: rounds on day 0, 4, 7, 11, 15, 20; final notice day 27; suspended day 30; closed day 60.
func TestD5TheStandardPolicy(t *testing.T) {
	o := model.Play(plain(t, model.Answer{Say: model.SaysSoft}))
	for what, want := range map[string]string{"1: round": "[0 4 7 11 15 20]", "1: notice final_notice": "[27]", "1: account suspended": "[30]",
		"1: account closed": "[60]", "1: notice payment_failed": "[0 4 7 11 15 20]"} {
		if got := fmt.Sprint(days(o, what)); got != want {
			t.Errorf("%s on days %s, want %s", what, got, want)
		}
	}
}

// TestT1HoldPutsEverythingOff: ten days of hold move what lies ahead by ten days (T1), and nothing happens within them.
func TestT1HoldPutsEverythingOff(t *testing.T) {
	c := plain(t, model.Answer{Say: model.SaysSoft})
	c.Happenings = []model.Happening{{At: start.Add(26 * time.Hour), Do: model.HoldFor, Until: start.Add(266 * time.Hour)}}
	if got := fmt.Sprint(days(model.Play(c), "1: round")); got != "[0 14 17 21 25 30]" {
		t.Errorf("rounds on days %s", got)
	}
}

// TestU4LateSuccessIsUnapplied: money that arrives twice is kept for the customer.
func TestU4LateSuccessIsUnapplied(t *testing.T) {
	c := plain(t, model.Answer{Say: model.SaysNothing, Turns: []model.Turn{{After: time.Hour, Say: model.SaysYes}}})
	c.Happenings = []model.Happening{{At: start.Add(30 * time.Minute), Do: model.PaidElsewhere}}
	if o := model.Play(c); o.Unapplied != 4900 || o.Paid["other"] != 4900 || !o.Finished {
		t.Errorf("%+v", o)
	}
}

func TestDifferencesAreFound(t *testing.T) {
	at := func(h int, what string) model.Entry {
		return model.Entry{At: start.Add(time.Duration(h) * time.Hour), What: what}
	}
	want := []model.Entry{at(0, "a"), at(1, "b")}
	for name, c := range map[string]struct {
		got []model.Entry
		n   int
	}{
		"the same":      {[]model.Entry{at(1, "b"), at(0, "a")}, 0},
		"later":         {[]model.Entry{at(0, "a"), at(2, "b")}, 1},
		"one missing":   {[]model.Entry{at(1, "b")}, 1},
		"one too many":  {[]model.Entry{at(0, "a"), at(1, "b"), at(1, "b")}, 1},
		"another thing": {[]model.Entry{at(0, "a"), at(1, "c")}, 2},
	} {
		if got := model.Differences(want, c.got); len(got) != c.n {
			t.Errorf("%s: %d differences, want %d: %v", name, len(got), c.n, got)
		}
	}
}
