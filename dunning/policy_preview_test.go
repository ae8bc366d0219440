package dunning

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"recoup/billing"
	"recoup/money"
)

func mustFind(t testing.TB, name string) Policy {
	t.Helper()
	p, err := Find(name, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func usd(minor int64) money.Amount { return money.New(minor, money.MustCurrency("USD")) }

// lines is a preview as local wall times, for comparing.
func lines(t testing.TB, p Preview) []string {
	t.Helper()
	loc, err := time.LoadLocation(p.Zone)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range p.Steps {
		notice := ""
		if s.Notice != "" {
			notice = fmt.Sprintf(" %s %s", s.Notice, s.NoticeAt.In(loc).Format("15:04"))
		}
		out = append(out, fmt.Sprintf("%d %s %s %d%s", s.Unit, s.At.In(loc).Format("Mon 02 Jan 15:04 -07"), s.Do, s.Round, notice))
	}
	return out
}

// TestT2PreviewAcrossTheChangeOfClocks: 09:00 is 09:00 on both sides of it.
func TestT2PreviewAcrossTheChangeOfClocks(t *testing.T) {
	p, err := mustFind(t, "standard").Preview(PreviewInput{DueDate: "2026-10-12", Zone: "Europe/Berlin", Amount: usd(4900)})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"0 Tue 13 Oct 09:00 +02 begin_round 1 payment_failed 09:00",
		"4 Sat 17 Oct 09:00 +02 begin_round 2 payment_failed 09:00",
		"7 Tue 20 Oct 09:00 +02 begin_round 3 payment_failed 09:00",
		"11 Sat 24 Oct 09:00 +02 begin_round 4 payment_failed 09:00",
		"15 Wed 28 Oct 09:00 +01 begin_round 5 payment_failed 09:00",
		"20 Mon 02 Nov 09:00 +01 begin_round 6 payment_failed 09:00",
		"27 Mon 09 Nov 09:00 +01 final_notice 0 final_notice 09:00",
		"29 Wed 11 Nov 09:00 +01 schedule_suspension 0 suspension_scheduled 09:00",
		"30 Thu 12 Nov 09:00 +01 suspend 0 suspended 09:00",
		"60 Sat 12 Dec 09:00 +01 close_account 0",
	}
	if diff := cmp.Diff(want, lines(t, p)); diff != "" {
		t.Error(diff)
	}
	if got := p.DueAt.Format(time.RFC3339); got != "2026-10-12T22:00:00Z" {
		t.Errorf("due at %s: want the end of the local day", got)
	}
}

// A case that opened late in the evening rounds at once, and its mail waits for the morning (N4).
func TestN4PreviewKeepsQuietHours(t *testing.T) {
	start := time.Date(2026, 11, 2, 22, 30, 0, 0, time.UTC)
	p, err := mustFind(t, "fast").Preview(PreviewInput{DueDate: "2026-11-01", Zone: "UTC", Amount: usd(4900), Start: start})
	if err != nil {
		t.Fatal(err)
	}
	first := p.Steps[0]
	if !first.At.Equal(start) || !first.NoticeAt.Equal(time.Date(2026, 11, 3, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("round at %v, notice at %v", first.At, first.NoticeAt)
	}
}

// TestS2PreviewBelowTheMinimum: nobody is suspended for less than the policy's minimum, and no account closed.
func TestS2PreviewBelowTheMinimum(t *testing.T) {
	p, err := mustFind(t, "standard").Preview(PreviewInput{DueDate: "2026-11-01", Zone: "UTC", Amount: usd(99)})
	if err != nil {
		t.Fatal(err)
	}
	last := p.Steps[len(p.Steps)-1]
	if last.Do != DoWait || last.Notice != "" || !strings.Contains(last.Says, "USD 0.99 is below the policy's minimum of USD 1.00") {
		t.Errorf("ends with %+v", last)
	}
	at, err := mustFind(t, "standard").Preview(PreviewInput{DueDate: "2026-11-01", Zone: "UTC", Amount: usd(100)})
	if err != nil || at.Steps[len(at.Steps)-1].Do != DoCloseAccount {
		t.Errorf("at the minimum: %+v, %v", at.Steps, err)
	}
}

func TestPreviewOfWrongInputNamesIt(t *testing.T) {
	good := PreviewInput{DueDate: "2026-11-01", Zone: "UTC", Amount: usd(100)}
	for want, change := range map[string]func(*PreviewInput){
		`date "soon"`: func(in *PreviewInput) { in.DueDate = "soon" },
		`zone "Mars"`: func(in *PreviewInput) { in.Zone = "Mars" },
		"amount USD":  func(in *PreviewInput) { in.Amount = usd(0) },
	} {
		in := good
		change(&in)
		if _, err := mustFind(t, "standard").Preview(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestPreviewIsWhatDatesSay: a preview holds each date of the policy exactly once, in order, whatever the zone, the shift and the policy.
func TestPreviewIsWhatDatesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		p := rapid.SampledFrom(Shipped()).Draw(t, "policy")
		due := d.at.In(d.loc).AddDate(0, 0, -1).Format(time.DateOnly)
		got, err := p.Preview(PreviewInput{DueDate: due, Zone: d.zone, Invoice: d.invoice, Amount: usd(4900), Start: d.at, Shift: d.shift})
		if err != nil {
			t.Fatal(err)
		}
		dates, err := p.DatesFor(d.at, d.shift, d.zone, d.invoice)
		if err != nil {
			t.Fatal(err)
		}
		var at []time.Time
		for _, s := range got.Steps {
			at = append(at, s.At)
			if s.Notice != "" {
				if s.NoticeAt.Before(s.At) || s.NoticeAt.Sub(s.At) > 36*time.Hour {
					t.Fatalf("%s told at %v of %v", s.Notice, s.NoticeAt, s.At)
				}
				if quiet, err := p.QuietUntil(s.NoticeAt, d.zone); err != nil || !quiet.IsZero() {
					t.Fatalf("N4: told in quiet hours, %v", s.NoticeAt)
				}
			}
		}
		if want := stepsOf(dates); !slices.EqualFunc(at, want, time.Time.Equal) {
			t.Fatalf("preview has %v, dates are %v", at, want)
		}
	})
}

func TestDiffInWords(t *testing.T) {
	standard := mustFind(t, "standard")
	to := standard.clone()
	to.Version, to.Rounds, to.FinalNotice, to.Close = 2, []int{0, 4, 9, 11, 15, 20}, 26, 0
	to.MinimumToSuspend, to.MarketplaceFunds, to.ChargesPerDay = map[string]int64{"default": 100, "KWD": 500, "JPY": 1000}, true, 4
	want := []PolicyChange{
		{"rounds", "also on day 9, no longer on day 7: 6 rounds instead of 6"},
		{"final_notice", "on day 26 instead of day 27: 1 day earlier"},
		{"close", "none any more; it was on day 60"},
		{"minimum_to_suspend.JPY", "JPY 1000 instead of JPY 100"},
		{"minimum_to_suspend.KWD", "KWD 0.500 instead of KWD 0.300"},
		{"marketplace_funds", "advance funds pay marketplace invoices too"},
		{"charges_per_day", "at most 4 instead of 8 within 24 hours"},
	}
	if diff := cmp.Diff(want, Diff(standard, to)); diff != "" {
		t.Error(diff)
	}
	back := Diff(to, standard)
	if back[2].Says != "on day 60; there was none" {
		t.Errorf("back: %v", back)
	}
	demo := Diff(standard, mustFind(t, "demo"))
	if demo[0].Says != "counts in seconds instead of days" || demo[len(demo)-1].Field != "charges_per_day" {
		t.Errorf("to demo: %v", demo)
	}
	again := standard.clone()
	again.Name, again.Version = "other", 7
	if got := Diff(standard, again); len(got) != 0 {
		t.Errorf("alike but for the name: %v", got)
	}
}

func ptr(n int64) *int64 { return &n }

func TestChooseOrder(t *testing.T) {
	rules := []Assignment{
		{ID: 1, Priority: 30, Country: "DE", Policy: "german"},
		{ID: 2, Priority: 10, Currency: "USD", From: ptr(10_000), Policy: "large"},
		{ID: 3, Priority: 20, Plan: "gold", Policy: "gentle", Version: 2},
		{ID: 4, Account: "acme", Policy: "special"},
		{ID: 5, Priority: 40, Country: "DE", Plan: "gold", Policy: "never"},
		{ID: 6, Priority: 50, Currency: "USD", From: ptr(100), Below: ptr(200), Policy: "small"},
	}
	cases := []struct {
		name string
		s    PolicySubject
		want PolicyChoice
	}{
		{"account before all", PolicySubject{Account: "acme", Own: "fast", Country: "DE", Plan: "gold", Total: usd(99_999)}, PolicyChoice{"special", 0, 4, "rule 4: account acme"}},
		{"import before segments", PolicySubject{Account: "b", Own: "fast", Country: "DE", Total: usd(99_999)}, PolicyChoice{"fast", 0, 0, "the account was imported with it"}},
		{"lowest priority first", PolicySubject{Account: "b", Country: "DE", Plan: "gold", Total: usd(10_000)}, PolicyChoice{"large", 0, 2, "rule 2: USD 100.00 and more (priority 10)"}},
		{"from is included", PolicySubject{Account: "b", Country: "FR", Total: usd(9_999)}, PolicyChoice{"standard", 0, 0, "no rule says otherwise"}},
		{"a plan, with its version", PolicySubject{Account: "b", Country: "DE", Plan: "gold", Total: usd(5)}, PolicyChoice{"gentle", 2, 3, "rule 3: plan gold (priority 20)"}},
		{"a country", PolicySubject{Account: "b", Country: "DE", Total: usd(5)}, PolicyChoice{"german", 0, 1, "rule 1: country DE (priority 30)"}},
		{"below is not included", PolicySubject{Account: "b", Total: usd(200)}, PolicyChoice{"standard", 0, 0, "no rule says otherwise"}},
		{"a range", PolicySubject{Account: "b", Total: usd(199)}, PolicyChoice{"small", 0, 6, "rule 6: USD 1.00 to below USD 2.00 (priority 50)"}},
		{"another currency", PolicySubject{Account: "b", Total: money.New(150, money.MustCurrency("EUR"))}, PolicyChoice{"standard", 0, 0, "no rule says otherwise"}},
	}
	for _, c := range cases {
		for range 3 { // in whatever order they are read
			slices.Reverse(rules)
			if got := Choose(rules, c.s); got != c.want {
				t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
			}
			rules = append(rules[1:], rules[0])
		}
	}
}

func TestAssignmentsThatSayNothingAreRefused(t *testing.T) {
	for want, r := range map[string]Assignment{
		"policy":   {Account: "a", Policy: "Standard"},
		"account":  {Policy: "fast", Priority: 1},
		"priority": {Policy: "fast", Country: "DE"},
		"country":  {Policy: "fast", Priority: 1, Country: "Germany"},
		"plan":     {Policy: "fast", Priority: 1, Plan: "gold plan"},
		"currency": {Policy: "fast", Priority: 1, From: ptr(1)},
		"below":    {Policy: "fast", Priority: 1, Currency: "USD", From: ptr(5), Below: ptr(5)},
		"from":     {Policy: "fast", Priority: 1, Currency: "USD", From: ptr(-1)},
	} {
		err := r.Check()
		refusal, ok := err.(*billing.Refusal) //nolint:errorlint // Check gives refusals themselves
		if !ok || refusal.Field != want {
			t.Errorf("%+v: %v, want a refusal of %s", r, err, want)
		}
	}
	for _, r := range []Assignment{{Account: "a", Policy: "fast"}, {Priority: 1, Plan: "gold", Policy: "fast", Version: 3}} {
		if err := r.Check(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
