package billing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recoup/money"
)

var usd = money.MustCurrency("USD")

// now is when the tests allocate: an invoice for November, collected in December.
var now = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func day(month time.Month, d int) time.Time { return time.Date(2026, month, d, 0, 0, 0, 0, time.UTC) }

func usage(position int, service string, minor int64) Line {
	return Line{Position: position, Service: service, ChargeKind: ChargeUsage, PeriodStart: day(11, 1), Amount: money.New(minor, usd)}
}

func invoiceOf(lines ...Line) Invoice {
	var total int64
	for _, l := range lines {
		total += l.Amount.Minor()
	}
	return Invoice{ID: "inv-1", AccountID: "acme", State: InvoiceOpen, Total: money.New(total, usd), Allocated: money.Zero(usd), Lines: lines}
}

func creditOf(id CreditID, minor int64) Credit {
	return Credit{ID: id, AccountID: "acme", Enabled: true, Granted: money.New(minor, usd), Remaining: money.New(minor, usd),
		StartsOn: day(1, 1), GrantedAt: day(1, 1)}
}

// lots renders applications for comparison.
func lots(t *testing.T, i Invoice, credits []Credit, earlier ...Application) []string {
	t.Helper()
	got, err := AllocateCredits(now, i, credits, nil, earlier)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range got {
		out = append(out, fmt.Sprintf("%s→%d %s %d", a.Credit, a.Line, a.Service, a.Amount.Minor()))
	}
	return out
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lots differ (-want +got):\n%s", diff)
	}
}

func TestCR1SoonestExpiryFirst(t *testing.T) {
	// AWS's documented example: the credit that expires sooner goes first although the other is narrower.
	wide, narrow := creditOf("wide", 1000), creditOf("narrow", 500)
	wide.Services, wide.ExpiresAt = []string{"S3", "EC2"}, time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	narrow.Services, narrow.ExpiresAt = []string{"EC2"}, time.Date(2027, 12, 31, 0, 0, 0, 0, time.UTC)
	want(t, lots(t, invoiceOf(usage(1, "EC2", 1200)), []Credit{narrow, wide}), "wide→1 EC2 1000", "narrow→1 EC2 200")
}

func TestCR1OrderAmongCredits(t *testing.T) {
	var all []Credit
	add := func(id CreditID, expires time.Time, services []string, granted time.Time) {
		c := creditOf(id, 1)
		c.ExpiresAt, c.Services, c.GrantedAt = expires, services, granted
		all = append(all, c)
	}
	soon, late := day(12, 24), day(12, 31)
	add("1-soonest", soon, nil, day(3, 1))
	add("2-fewest", late, []string{"EC2"}, day(3, 1))
	add("3-fewer", late, []string{"EC2", "S3"}, day(2, 1))
	add("4-all-services-oldest", late, nil, day(1, 1))
	add("5-all-services-a", late, nil, day(2, 1))
	add("5-all-services-b", late, nil, day(2, 1))
	add("6-no-expiry", time.Time{}, []string{"EC2"}, day(1, 1))
	slices.Reverse(all)
	var got []string
	usable, err := usableCredits(now, invoiceOf(usage(1, "EC2", 100)), all, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range usable {
		got = append(got, string(c.ID))
	}
	want(t, got, "1-soonest", "2-fewest", "3-fewer", "4-all-services-oldest", "5-all-services-a", "5-all-services-b", "6-no-expiry")
}

func TestCR2LargestServiceChargeFirst(t *testing.T) {
	i := invoiceOf(usage(1, "S3", 300), usage(2, "EC2", 200), usage(3, "EC2", 250), usage(4, "Lambda", 300))
	// EC2 costs 450 in two lines; Lambda and S3 tie and go by name.
	want(t, lots(t, i, []Credit{creditOf("c", 1000)}),
		"c→3 EC2 250", "c→2 EC2 200", "c→4 Lambda 300", "c→1 S3 250")
}

func TestCR2RepeatsUntilUsedUp(t *testing.T) {
	i := invoiceOf(usage(1, "EC2", 100), usage(2, "S3", 90))
	// After the first credit S3 is the larger charge left.
	a, b := creditOf("a", 60), creditOf("b", 100)
	a.ExpiresAt = day(12, 24)
	want(t, lots(t, i, []Credit{b, a}), "a→1 EC2 60", "b→2 S3 90", "b→1 EC2 10")
}

func TestCR3Eligibility(t *testing.T) {
	line := usage(1, "EC2", 100)
	cases := []struct {
		name   string
		change func(*Credit, *Line, *Invoice)
		paid   bool
	}{
		{"as it is", func(*Credit, *Line, *Invoice) {}, true},
		{"disabled", func(c *Credit, _ *Line, _ *Invoice) { c.Enabled = false }, false},
		{"used up", func(c *Credit, _ *Line, _ *Invoice) { c.Remaining = money.Zero(usd) }, false},
		{"another currency", func(c *Credit, _ *Line, _ *Invoice) { c.Remaining = money.New(100, money.MustCurrency("EUR")) }, false},
		{"another account", func(c *Credit, _ *Line, _ *Invoice) { c.AccountID = "other" }, false},
		{"its service", func(c *Credit, _ *Line, _ *Invoice) { c.Services = []string{"S3", "EC2"} }, true},
		{"not its service", func(c *Credit, _ *Line, _ *Invoice) { c.Services = []string{"S3"} }, false},
		{"upfront", func(_ *Credit, l *Line, _ *Invoice) { l.ChargeKind = ChargeUpfront }, false},
		{"marketplace", func(_ *Credit, l *Line, _ *Invoice) { l.ChargeKind = ChargeMarketplace }, false},
		{"support", func(_ *Credit, l *Line, _ *Invoice) { l.ChargeKind = ChargeSupport }, false},
		{"tax", func(_ *Credit, l *Line, _ *Invoice) { l.ChargeKind = ChargeTax }, false},
		{"recurring", func(_ *Credit, l *Line, _ *Invoice) { l.ChargeKind = ChargeRecurring }, true},
		{"support, included", func(c *Credit, l *Line, _ *Invoice) {
			l.ChargeKind, c.IncludedKinds = ChargeSupport, []ChargeKind{ChargeSupport}
		}, true},
		{"a marketplace invoice", func(_ *Credit, _ *Line, i *Invoice) { i.Marketplace = true }, false},
		{"a marketplace invoice, included", func(c *Credit, _ *Line, i *Invoice) {
			i.Marketplace, c.IncludedKinds = true, []ChargeKind{ChargeMarketplace}
		}, true},
		{"usage of the month before", func(c *Credit, l *Line, _ *Invoice) { c.StartsOn, l.PeriodStart = day(11, 1), day(10, 31) }, false},
		{"usage earlier in the start's month", func(c *Credit, l *Line, _ *Invoice) { c.StartsOn, l.PeriodStart = day(11, 20), day(11, 1) }, true},
		{"not begun", func(c *Credit, l *Line, _ *Invoice) { c.StartsOn, l.PeriodStart = day(12, 2), day(12, 1) }, false},
		{"expires this instant", func(c *Credit, _ *Line, _ *Invoice) { c.ExpiresAt = now }, false},
		{"expires in a moment", func(c *Credit, _ *Line, _ *Invoice) { c.ExpiresAt = now.Add(time.Nanosecond) }, true},
	}
	for _, tc := range cases {
		c, l := creditOf("c", 100), line
		i := invoiceOf(l)
		tc.change(&c, &l, &i)
		i.Lines = []Line{l}
		if got := lots(t, i, []Credit{c}); (len(got) == 1) != tc.paid {
			t.Errorf("%s: lots %v, want paid %v", tc.name, got, tc.paid)
		}
	}
}

func TestCR4Sharing(t *testing.T) {
	mine, theirs := creditOf("mine", 50), creditOf("theirs", 500)
	theirs.AccountID, theirs.ExpiresAt = "sister", day(12, 24)
	organisation := []Account{{ID: "acme"}, {ID: "sister", CreditSharing: true}, {ID: "stingy"}}
	from := SharedFrom("acme", organisation)
	want(t, []string{fmt.Sprint(from)}, "[sister]")

	i := invoiceOf(usage(1, "EC2", 300))
	got, err := AllocateCredits(now, i, []Credit{mine, theirs}, from, nil)
	if err != nil || len(got) != 1 || got[0].Credit != "theirs" || got[0].Amount.Minor() != 300 {
		t.Errorf("shared: %v, %v; want 300 of the sister's, which expires sooner", got, err)
	}
	want(t, lots(t, i, []Credit{mine, theirs}), "mine→1 EC2 50") // sharing off: only the owner's
}

func TestCR4OwnersInvoicesFirst(t *testing.T) {
	theirs := creditOf("theirs", 500)
	theirs.AccountID = "sister"
	owners := invoiceOf(usage(1, "EC2", 350))
	owners.ID, owners.AccountID = "inv-sister", "sister"
	left, err := KeepForOwners(now, []Credit{theirs}, []Invoice{owners}, nil)
	if err != nil || left[0].Remaining.Minor() != 150 || theirs.Remaining.Minor() != 500 {
		t.Fatalf("left for others: %v, %v; want 150 of 500", left, err)
	}
	got, err := AllocateCredits(now, invoiceOf(usage(1, "EC2", 300)), left, []AccountID{"sister"}, nil)
	if err != nil || len(got) != 1 || got[0].Amount.Minor() != 150 {
		t.Errorf("the other account got %v, %v", got, err)
	}
}

func TestCR7FullyCreditedLeavesNothingDue(t *testing.T) {
	i := invoiceOf(usage(1, "EC2", 300), usage(2, "S3", 200))
	want(t, lots(t, i, []Credit{creditOf("c", 10000)}), "c→1 EC2 300", "c→2 S3 200")
}

func TestCR2DiscountsReduceWhatIsEligible(t *testing.T) {
	i := invoiceOf(usage(1, "EC2", 300), usage(2, "EC2", -120), usage(3, "S3", 100))
	want(t, lots(t, i, []Credit{creditOf("c", 1000)}), "c→1 EC2 180", "c→3 S3 100")
	// A discount on the whole invoice: never above what is due.
	whole := usage(3, "", -150)
	whole.ChargeKind = ChargeAdjustment
	ec2 := creditOf("c", 1000)
	ec2.Services = []string{"EC2", "S3"}
	want(t, lots(t, invoiceOf(usage(1, "EC2", 300), usage(2, "S3", 100), whole), []Credit{ec2}), "c→1 EC2 250")
}

func TestCR2EarlierLotsCount(t *testing.T) {
	i := invoiceOf(usage(1, "EC2", 300), usage(2, "S3", 200))
	i.Allocated = money.New(350, usd)
	earlier := Application{Credit: "old", Line: 1, Service: "EC2", Amount: money.New(250, usd)}
	// 250 came by a credit, 100 by something else: 50 of EC2 and 100 of S3 could still be credited, 150 is due.
	want(t, lots(t, i, []Credit{creditOf("c", 1000)}, earlier), "c→2 S3 150")
	i.Allocated = money.New(250, usd)
	want(t, lots(t, i, []Credit{creditOf("c", 1000)}, earlier), "c→2 S3 200", "c→1 EC2 50")
}

func TestCreditsRefuseContradictions(t *testing.T) {
	i := invoiceOf(usage(1, "EC2", 300))
	below := creditOf("c", 1)
	below.Remaining = money.New(-1, usd)
	mixed := invoiceOf(usage(1, "EC2", 300))
	mixed.Lines[0].Amount = money.New(300, money.MustCurrency("EUR"))
	cases := map[string]struct {
		i       Invoice
		credits []Credit
		earlier []Application
	}{
		"a credit twice":        {i, []Credit{creditOf("c", 1), creditOf("c", 1)}, nil},
		"a credit below zero":   {i, []Credit{below}, nil},
		"a line twice":          {invoiceOf(usage(1, "EC2", 1), usage(1, "S3", 1)), nil, nil},
		"a line's currency":     {mixed, nil, nil},
		"a lot without a line":  {i, nil, []Application{{Credit: "c", Line: 9, Amount: money.New(1, usd)}}},
		"a lot's currency":      {i, nil, []Application{{Credit: "c", Line: 1, Amount: money.New(1, money.MustCurrency("EUR"))}}},
		"total and allocated":   {Invoice{State: InvoiceOpen, Total: money.New(1, usd)}, nil, nil},
		"lots above the charge": {i, []Credit{creditOf("c", 1)}, []Application{{Credit: "o", Line: 1, Amount: money.New(301, usd)}}},
	}
	for name, c := range cases {
		if got, err := AllocateCredits(now, c.i, c.credits, nil, c.earlier); err == nil && len(got) > 0 {
			t.Errorf("%s: allocated %v", name, got)
		} else if err == nil && name != "lots above the charge" {
			t.Errorf("%s: no error", name)
		}
	}
	for _, state := range []InvoiceState{InvoicePaid, InvoiceVoid, InvoiceWrittenOff} {
		i.State = state
		if got, err := AllocateCredits(now, i, []Credit{creditOf("c", 1)}, nil, nil); err != nil || got != nil {
			t.Errorf("an invoice %s got %v, %v", state, got, err)
		}
	}
}
