package dunning

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"recoup/billing"
)

// drawn holds what the properties share: an instant, a zone, an invoice, a shift.
type drawn struct {
	at      time.Time
	zone    string
	loc     *time.Location
	invoice billing.InvoiceID
	shift   time.Duration
}

func draw(t *rapid.T) drawn {
	zone := rapid.SampledFrom(zoneNames()).Draw(t, "zone")
	loc := mustZone(t, zone)
	year := rapid.IntRange(2012, 2037).Draw(t, "year")
	at := time.Date(year, 1, 1, 0, 0, rapid.IntRange(0, 365*24*3600).Draw(t, "second"), 0, time.UTC)
	if changes := clockChanges(loc, year); rapid.Bool().Draw(t, "near a change") {
		change := rapid.SampledFrom(changes).Draw(t, "change")
		at = change.Add(time.Duration(rapid.IntRange(-40*24*3600, 3*24*3600).Draw(t, "from it")) * time.Second)
	}
	return drawn{
		at: at, zone: zone, loc: loc,
		invoice: billing.InvoiceID(rapid.StringMatching(`inv-[0-9]{1,6}`).Draw(t, "invoice")),
		shift: time.Duration(rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 100), rapid.IntRange(0, 60*24*3600)).
			Draw(t, "shift")) * time.Second,
	}
}

func TestT1ShiftNeverShortens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		p := rapid.SampledFrom(Shipped()).Draw(t, "policy")
		plain, err := p.DatesFor(d.at, 0, d.zone, d.invoice)
		if err != nil {
			t.Fatal(err)
		}
		moved, err := p.DatesFor(d.at, d.shift, d.zone, d.invoice)
		if err != nil {
			t.Fatal(err)
		}
		was, is := stepsOf(plain)[1:], stepsOf(moved)[1:]
		if !moved.Rounds[0].Equal(d.at) {
			t.Fatalf("the start moved to %v", moved.Rounds[0])
		}
		for i := range was {
			gained := is[i].Sub(was[i])
			if gained < d.shift {
				t.Fatalf("step %d: the clock stood still for %v and the date moved by %v", i, d.shift, gained)
			}
			if p.Unit == UnitSecond && gained != d.shift {
				t.Fatalf("step %d moved by %v, want exactly %v", i, gained, d.shift)
			}
			if gained > d.shift+26*time.Hour {
				t.Fatalf("step %d: the clock stood still for %v and the date moved by %v", i, d.shift, gained)
			}
		}
	})
}

func TestT2StepsAreMorningsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		p := rapid.SampledFrom([]string{"standard", "fast"}).Draw(t, "policy")
		policy, err := Latest(p)
		if err != nil {
			t.Fatal(err)
		}
		dates, err := policy.DatesFor(d.at, d.shift, d.zone, d.invoice)
		if err != nil {
			t.Fatal(err)
		}
		steps := stepsOf(dates)
		days := append(append([]int(nil), policy.Rounds...), policy.FinalNotice, policy.SuspensionNotice, policy.Suspend, policy.Close)
		for i := 1; i < len(steps); i++ {
			local := steps[i].In(d.loc)
			if !steps[i].After(steps[i-1]) {
				t.Fatalf("step %d at %v is not after %v", i, steps[i], steps[i-1])
			}
			if since := local.Hour()*60 + local.Minute() - 9*60; since != int(jitter(d.invoice)/time.Minute) {
				t.Fatalf("step %d is at %v, want 09:00 and %v", i, local, jitter(d.invoice))
			}
			if want := dateOf(d.at.In(d.loc)).plus(days[i]); d.shift == 0 && dateOf(local) != want {
				t.Fatalf("step %d is on %v, want %v", i, local, want)
			}
			if quiet, err := QuietUntil(steps[i], d.zone); err != nil || !quiet.IsZero() {
				t.Fatalf("step %d at %v lies in quiet hours, %v", i, local, err)
			}
		}
	})
}

func TestT1ShiftIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		p, _ := Latest("standard")
		more := d.shift + time.Duration(rapid.IntRange(0, 30*24*3600).Draw(t, "more"))*time.Second
		a, err1 := p.DatesFor(d.at, d.shift, d.zone, d.invoice)
		b, err2 := p.DatesFor(d.at, more, d.zone, d.invoice)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for i, later := range stepsOf(b) {
			if later.Before(stepsOf(a)[i]) {
				t.Fatalf("step %d: a longer stop moved it earlier, from %v to %v", i, stepsOf(a)[i], later)
			}
		}
	})
}

func TestN4QuietUntilInEveryZone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		until, err := QuietUntil(d.at, d.zone)
		if err != nil {
			t.Fatal(err)
		}
		hour := d.at.In(d.loc).Hour()
		if quiet := hour >= 21 || hour < 8; quiet == until.IsZero() {
			t.Fatalf("at %v quiet is %v, but QuietUntil is %v", d.at.In(d.loc), quiet, until)
		}
		if until.IsZero() {
			return
		}
		if wait := until.Sub(d.at); wait <= 0 || wait > 13*time.Hour {
			t.Fatalf("at %v waits %v", d.at.In(d.loc), wait)
		}
		if h := until.In(d.loc).Hour(); h < 8 || h >= 21 {
			t.Fatalf("waits until %v, which is quiet too", until.In(d.loc))
		}
	})
}

// stepsOf returns all dates in the policy's order.
func stepsOf(d Dates) []time.Time {
	return append(append([]time.Time(nil), d.Rounds...), d.FinalNotice, d.SuspensionNotice, d.Suspend, d.Close)
}
