package dunning

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"recoup/billing"
)

// Wall times of the rules.
const (
	morning    = 9 * time.Hour  // rounds and notices go out (T2)
	quietFrom  = 21 * time.Hour // no mail from here … (N4)
	quietUntil = 8 * time.Hour  // … to here
	jitterMin  = 60             // minutes over which an invoice's mornings are spread
)

// shiftMax bounds the stage clock's stops; more is a mistake, not a hold.
const shiftMax = 10 * 366 * 24 * time.Hour

// DueAt returns when an invoice is due: the end of its due date in the account's zone, the instant the next local day starts (T2).
func DueAt(dueDate, zone string) (time.Time, error) {
	loc, err := loadZone(zone)
	if err != nil {
		return time.Time{}, err
	}
	d, err := parseDate(dueDate)
	if err != nil {
		return time.Time{}, err
	}
	return endOf(d, loc).UTC(), nil
}

// CollectAt returns when collecting a due invoice begins: 09:00 local, and the invoice's jitter, of the day that starts at dueAt (T2);
// at dueAt itself when the policy counts in seconds.
func (p Policy) CollectAt(dueAt time.Time, zone string, invoice billing.InvoiceID) (time.Time, error) {
	loc, err := loadZone(zone)
	if err != nil {
		return time.Time{}, err
	}
	switch p.Unit {
	case UnitSecond:
		return dueAt.UTC(), nil
	case UnitDay:
		return morningOf(dateOf(dueAt.In(loc)), loc, jitter(invoice)).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("policy %s: unknown unit %q", p.Name, p.Unit)
}

// DatesFor returns when a case that started at start takes each of its policy's steps. Day N is 09:00 local, and the invoice's jitter,
// of the local date N days after the start's (T2). shift is how long the stage clock stood still (T1): every step after the start
// moves by it and then up to the next such morning, so that an outage of ours never shortens the customer's time.
// A policy in seconds counts them from the start and adds the shift.
func (p Policy) DatesFor(start time.Time, shift time.Duration, zone string, invoice billing.InvoiceID) (Dates, error) {
	loc, err := loadZone(zone)
	if err != nil {
		return Dates{}, err
	}
	if shift < 0 || shift > shiftMax {
		return Dates{}, fmt.Errorf("policy %s: stage clock stood still for %s: want 0 to %s", p.Name, shift, shiftMax)
	}
	var step func(n int) time.Time
	switch p.Unit {
	case UnitSecond:
		step = func(n int) time.Time { return start.Add(time.Duration(n)*time.Second + shift).UTC() }
	case UnitDay:
		first, j := dateOf(start.In(loc)), jitter(invoice)
		step = func(n int) time.Time { return shiftedMorning(first.plus(n), shift, loc, j).UTC() }
	default:
		return Dates{}, fmt.Errorf("policy %s: unknown unit %q", p.Name, p.Unit)
	}
	later := func(n int) time.Time {
		if n == 0 {
			return time.Time{}
		}
		return step(n)
	}
	d := Dates{
		FinalNotice:      later(p.FinalNotice),
		SuspensionNotice: later(p.SuspensionNotice),
		Suspend:          later(p.Suspend),
		Close:            later(p.Close),
	}
	for i, n := range p.Rounds {
		if i == 0 {
			d.Rounds = append(d.Rounds, start.UTC())
			continue
		}
		d.Rounds = append(d.Rounds, step(n))
	}
	return d, nil
}

// QuietUntil returns when a mail may go out: zero for now, or the end of the quiet hours 21:00–08:00 local (N4).
func QuietUntil(now time.Time, zone string) (time.Time, error) {
	loc, err := loadZone(zone)
	if err != nil {
		return time.Time{}, err
	}
	local := now.In(loc)
	today := dateOf(local)
	wall := wallOf(local) - today.at(0)
	switch {
	case wall < int64(quietUntil/time.Second):
		return nextWall(now, today, loc), nil
	case wall >= int64(quietFrom/time.Second):
		return nextWall(now, today.plus(1), loc), nil
	}
	return time.Time{}, nil
}

// QuietUntil is the package's QuietUntil for a case of this policy: a policy in seconds has no quiet hours.
func (p Policy) QuietUntil(now time.Time, zone string) (time.Time, error) {
	if p.Unit == UnitSecond {
		return time.Time{}, nil
	}
	return QuietUntil(now, zone)
}

// nextWall returns the first end of the quiet hours after now, on the date or later: where clocks go back over 08:00 the first one
// may be past already.
func nextWall(now time.Time, d localDate, loc *time.Location) time.Time {
	for {
		wall := d.at(quietUntil)
		for _, t := range instantsOf(wall, loc) {
			if t.After(now) {
				return t.UTC()
			}
		}
		if t := firstFrom(wall, loc); t.After(now) && wallOf(t)-dateOf(t).at(0) >= int64(quietUntil/time.Second) {
			return t.UTC()
		}
		d = d.plus(1)
	}
}

// morningOf returns 09:00 and the jitter of a local date. Where clocks skip that time it is the first valid one after; where they
// skip the whole date (Samoa, 30 December 2011) it is the next date's morning.
func morningOf(d localDate, loc *time.Location, jitter time.Duration) time.Time {
	t := firstFrom(d.at(morning+jitter), loc)
	if got := dateOf(t); got != d {
		return firstFrom(got.at(morning+jitter), loc)
	}
	return t
}

// shiftedMorning returns the first morning not before a date's own morning plus shift.
func shiftedMorning(d localDate, shift time.Duration, loc *time.Location, jitter time.Duration) time.Time {
	own := morningOf(d, loc, jitter)
	if shift == 0 {
		return own
	}
	earliest := own.Add(shift)
	for d := dateOf(earliest.In(loc)); ; d = d.plus(1) {
		if t := morningOf(d, loc, jitter); !t.Before(earliest) {
			return t
		}
	}
}

// jitter returns an invoice's place in the morning's hour: always the same, evenly spread over invoices (T2). No invoice, as in a
// preview, is the hour's start.
func jitter(invoice billing.InvoiceID) time.Duration {
	if invoice == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(invoice))
	return time.Duration(binary.BigEndian.Uint64(sum[:8])%jitterMin) * time.Minute
}
