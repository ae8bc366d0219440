package billing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"recoup/money"
)

var services = []string{"EC2", "S3", "Lambda", ""}

func drawInvoice(t *rapid.T) Invoice {
	var lines []Line
	var total int64
	for p := range rapid.IntRange(1, 8).Draw(t, "lines") {
		minor := rapid.Int64Range(0, 500).Draw(t, "charge")
		if rapid.IntRange(0, 4).Draw(t, "discount") == 0 {
			minor = -min(minor, total) // the total is never below zero
		}
		total += minor
		lines = append(lines, Line{
			Position: p + 1, Service: rapid.SampledFrom(services).Draw(t, "service"),
			ChargeKind:  rapid.SampledFrom([]ChargeKind{ChargeUsage, ChargeRecurring, ChargeTax, ChargeSupport, ChargeAdjustment}).Draw(t, "kind"),
			PeriodStart: day(time.Month(rapid.IntRange(9, 11).Draw(t, "month")), 1), Amount: money.New(minor, usd),
		})
	}
	i := invoiceOf(lines...)
	i.Allocated = money.New(rapid.Int64Range(0, total).Draw(t, "allocated otherwise"), usd)
	return i
}

func drawCredits(t *rapid.T) []Credit {
	var out []Credit
	for n := range rapid.IntRange(0, 5).Draw(t, "credits") {
		c := creditOf(CreditID(fmt.Sprintf("c%d", n)), rapid.Int64Range(1, 600).Draw(t, "granted"))
		c.Remaining = money.New(rapid.Int64Range(0, c.Granted.Minor()).Draw(t, "remaining"), usd)
		c.Enabled = rapid.IntRange(0, 5).Draw(t, "enabled") > 0
		c.AccountID = rapid.SampledFrom([]AccountID{"acme", "acme", "sister", "stranger"}).Draw(t, "account")
		c.StartsOn = day(time.Month(rapid.IntRange(9, 12).Draw(t, "start")), rapid.IntRange(1, 28).Draw(t, "day"))
		c.GrantedAt = day(1, rapid.IntRange(1, 3).Draw(t, "granted at"))
		if rapid.Bool().Draw(t, "expires") {
			c.ExpiresAt = now.Add(time.Duration(rapid.IntRange(-1, 2).Draw(t, "in")) * time.Hour)
		}
		if rapid.Bool().Draw(t, "narrow") {
			c.Services = rapid.SliceOfNDistinct(rapid.SampledFrom(services), 1, 3, rapid.ID).Draw(t, "services")
		}
		if rapid.Bool().Draw(t, "includes") {
			c.IncludedKinds = []ChargeKind{ChargeSupport}
		}
		out = append(out, c)
	}
	return out
}

// book keeps what lots did: a second account of the same facts.
type book struct {
	byCredit map[CreditID]int64
	byLine   map[int]int64
	total    int64
}

func bookOf(lots []Application) book {
	b := book{map[CreditID]int64{}, map[int]int64{}, 0}
	for _, l := range lots {
		b.byCredit[l.Credit] += l.Amount.Minor()
		b.byLine[l.Line] += l.Amount.Minor()
		b.total += l.Amount.Minor()
	}
	return b
}

func TestCR3LotsStayInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, credits := drawInvoice(t), drawCredits(t)
		lots, err := AllocateCredits(now, i, credits, []AccountID{"sister"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := bookOf(lots)
		if due := i.Total.Minor() - i.Allocated.Minor(); b.total > due {
			t.Fatalf("%d of %d due", b.total, due)
		}
		net := map[string]int64{}
		for _, l := range i.Lines {
			if b.byLine[l.Position] > max(0, l.Amount.Minor()) {
				t.Fatalf("line %d of %v got %d", l.Position, l.Amount, b.byLine[l.Position])
			}
		}
		for _, c := range credits {
			if b.byCredit[c.ID] > c.Remaining.Minor() {
				t.Fatalf("credit %s of %v gave %d", c.ID, c.Remaining, b.byCredit[c.ID])
			}
		}
		for _, lot := range lots {
			c := credits[slices.IndexFunc(credits, func(c Credit) bool { return c.ID == lot.Credit })]
			l := i.Lines[lot.Line-1]
			if !lot.Amount.IsPositive() || lot.Service != l.Service {
				t.Fatalf("lot %+v on line %+v", lot, l)
			}
			expired := !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(now)
			early := l.PeriodStart.Month() < c.StartsOn.Month()
			foreign := len(c.Services) > 0 && !slices.Contains(c.Services, l.Service)
			excluded := l.ChargeKind == ChargeTax || l.ChargeKind == ChargeSupport && len(c.IncludedKinds) == 0
			if !c.Enabled || expired || early || foreign || excluded || c.AccountID == "stranger" || c.StartsOn.After(now) {
				t.Fatalf("credit %+v must not pay line %+v", c, l)
			}
			net[lot.Service] += lot.Amount.Minor()
		}
		for service, paid := range net {
			var charge int64
			for _, l := range i.Lines {
				if l.Service == service && l.Amount.IsPositive() {
					charge += l.Amount.Minor()
				}
			}
			if paid > charge {
				t.Fatalf("service %q of %d got %d", service, charge, paid)
			}
		}
	})
}

// Nothing is left on the table: a usable credit with something left means that what it may pay is paid, or nothing is due.
func TestCR2CreditsAreUsedUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, credits := drawInvoice(t), drawCredits(t)
		lots, err := AllocateCredits(now, i, credits, []AccountID{"sister"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := bookOf(lots)
		if b.total == i.Total.Minor()-i.Allocated.Minor() {
			return
		}
		usable, err := usableCredits(now, i, credits, []AccountID{"sister"})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range usable {
			if b.byCredit[c.ID] == c.Remaining.Minor() {
				continue
			}
			left := map[string]int64{}
			for _, l := range i.Lines {
				if c.Pays(i, l) {
					left[l.Service] += l.Amount.Minor() - b.byLine[l.Position]
				}
			}
			for service, n := range left {
				if n > 0 {
					t.Fatalf("credit %s has %d left, and %d of service %q could still be paid", c.ID, c.Remaining.Minor()-b.byCredit[c.ID], n, service)
				}
			}
		}
	})
}

// A credit that comes later in CR1's order pays a line only when the earlier ones that could are used up.
func TestCR1NoLaterCreditJumpsTheQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, credits := drawInvoice(t), drawCredits(t)
		lots, err := AllocateCredits(now, i, credits, []AccountID{"sister"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		usable, _ := usableCredits(now, i, credits, []AccountID{"sister"})
		rank := func(id CreditID) int { return slices.IndexFunc(usable, func(c Credit) bool { return c.ID == id }) }
		b := bookOf(lots)
		for _, lot := range lots {
			for _, before := range usable[:rank(lot.Credit)] {
				later := usable[rank(lot.Credit)]
				// Compared where both see the same lines, so that discounts count the same for both.
				if samePays(i, before, later) && b.byCredit[before.ID] < before.Remaining.Minor() {
					t.Fatalf("%s pays line %d while %s has something left", lot.Credit, lot.Line, before.ID)
				}
			}
		}
	})
}

func samePays(i Invoice, a, b Credit) bool {
	return !slices.ContainsFunc(i.Lines, func(l Line) bool { return a.Pays(i, l) != b.Pays(i, l) })
}

func TestCreditsDontDependOnTheOrderOfTheInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, credits := drawInvoice(t), drawCredits(t)
		first, err := AllocateCredits(now, i, credits, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		shuffled := i
		shuffled.Lines = rapid.Permutation(i.Lines).Draw(t, "lines")
		again, err := AllocateCredits(now, shuffled, rapid.Permutation(credits).Draw(t, "credits"), nil, nil)
		if err != nil || !cmp.Equal(first, again, cmp.Comparer(func(a, b money.Amount) bool { return a == b })) {
			t.Fatalf("%v became %v, %v", first, again, err)
		}
	})
}

// Applying, then asking again with the lots on the invoice, gives nothing more: a repeated step is harmless.
func TestCR2AskingAgainGivesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, credits := drawInvoice(t), drawCredits(t)
		lots, err := AllocateCredits(now, i, credits, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := bookOf(lots)
		i.Allocated = money.New(i.Allocated.Minor()+b.total, usd)
		for n := range credits {
			credits[n].Remaining = money.New(credits[n].Remaining.Minor()-b.byCredit[credits[n].ID], usd)
		}
		again, err := AllocateCredits(now, i, credits, nil, lots)
		if err != nil || len(again) > 0 {
			t.Fatalf("after %v: %v, %v", lots, again, err)
		}
	})
}
