package store_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"recoup/billing"
	"recoup/dunning"
)

// downtime is when something of ours does not work.
type downtime struct{ from, to time.Time }

func (d downtime) holds(t time.Time) bool { return !t.Before(d.from) && t.Before(d.to) }

// bad is a month of ours: workers (or Postgres, which is the same to a customer), the gateway, and the mail server are each down once.
type bad struct{ workers, gateway, mail downtime }

// lived is what a customer who never paid lived through.
type lived struct {
	start                         time.Time
	due                           string
	answered                      []time.Time // a method was asked and declined
	finalNotice, notice, suspends time.Time   // when the step ran
	told, toldLast                time.Time   // when the two notices were delivered
	shift                         time.Duration
}

// live drives one case of policy standard from its due date to the suspension, as its workflow does: it takes the step that Postgres asks for,
// and sleeps until the date that Postgres names, or until the workers are back.
func (w *world) live(id billing.CaseID, b bad) (l lived) {
	w.t.Helper()
	ctx := context.Background()
	l.start = w.now
	wake := func(at time.Time) {
		// Mails go out meanwhile, as soon as the server takes them.
		for _, mail := range []time.Time{w.now, b.mail.to, b.workers.to} {
			if mail.Before(w.now) || mail.After(at) || b.mail.holds(mail) || b.workers.holds(mail) {
				continue
			}
			w.exec(`update notices set state = 'sent', sent_at = greatest($1, send_after) where state = 'queued' and case_id = $2`, mail, id)
		}
		w.now = at
		if b.workers.holds(at) {
			w.now = b.workers.to
		}
	}
	for range 2000 {
		wake(w.now)
		step := w.review(id)
		var err error
		switch step.Do {
		case dunning.DoCharge:
			answer := declined
			if b.gateway.holds(w.now) {
				answer = throttled
			}
			w.charge(step, id, answer)
		case dunning.DoFinalNotice:
			l.finalNotice = w.now
			_, err = w.FinalNotice(ctx, id)
		case dunning.DoScheduleSuspension:
			l.notice = w.now
			_, err = w.ScheduleSuspension(ctx, id)
		case dunning.DoSuspend:
			if step, err = w.Suspend(ctx, id); err == nil && step.Stage == dunning.StageSuspended {
				l.suspends = w.now
				l.answered = w.declines(id)
				l.due = scan[string](w, `select due_date::text || ' ' || due_at::text from invoices where id = $1`, string(id))
				l.told = scan[time.Time](w, `select min(sent_at) from notices where case_id = $1 and kind = 'final_notice' and channel = 'email'`, id).UTC()
				l.toldLast = scan[time.Time](w, `select min(sent_at) from notices where case_id = $1 and kind = 'suspension_scheduled' and channel = 'email'`, id).UTC()
				l.shift = time.Duration(scan[int64](w, `select clock_shift_seconds from cases where id = $1`, id)) * time.Second
				return l
			}
		case dunning.DoWait:
			if step.At.IsZero() {
				w.t.Fatalf("it waits for ever: %s", step.Why)
			}
			wake(step.At)
		default:
			w.t.Fatalf("next is %s", step.Do)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Fatalf("no suspension by %s", w.now)
	return l
}

// declines is when the customer's bank was asked and refused.
func (w *world) declines(id billing.CaseID) []time.Time {
	w.t.Helper()
	rows, _ := w.Pool().Query(context.Background(), `select ended_at from attempts where case_id = $1 and state = 'declined' order by ended_at`, id)
	at, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		w.t.Fatal(err)
	}
	return at
}

var lives atomic.Int64

// born opens the case of a fresh account with one card, days after its due date when the backlog is long.
func (w *world) born(backlog time.Duration) billing.CaseID {
	w.t.Helper()
	n := lives.Add(1)
	account, invoice := fmt.Sprintf("life%d", n), fmt.Sprintf("inv%d", n)
	w.now = noon
	w.account(account, fmt.Sprintf("pm-%d", n))
	w.invoice(invoice, account, 4900)
	w.now = noon.Add(backlog)
	return w.open(invoice)
}

const day = 24 * time.Hour

// grace is how late a step may run before the lateness counts (store.lateGrace).
const grace = 2 * time.Hour

// checks holds a life against T1 and D5: nothing came earlier than the policy says, counted from what really happened before it.
func (l lived) checks(t *testing.T, before string) {
	t.Helper()
	least := func(what string, from, to time.Time, d time.Duration) {
		t.Helper()
		if got := to.Sub(from); got < d {
			t.Errorf("%s after %s, the policy leaves %s", what, got, d)
		}
	}
	if l.due != before {
		t.Errorf("the due date moved from %s to %s", before, l.due)
	}
	if len(l.answered) != 6 {
		t.Errorf("%d rounds reached the customer's bank before the end, want all 6: %v", len(l.answered), l.answered)
	}
	for n, days := range []int{4, 3, 4, 4, 5} {
		if n+1 < len(l.answered) {
			least(fmt.Sprintf("round %d", n+2), l.answered[n], l.answered[n+1], time.Duration(days)*day-grace-12*time.Hour)
		}
	}
	least("the final notice", l.answered[len(l.answered)-1], l.finalNotice, 7*day-grace)
	least("the notice of suspension", l.finalNotice, l.notice, 2*day-grace)
	least("the suspension, after the final notice was delivered,", l.told, l.suspends, 3*day)
	least("the suspension, after its notice was delivered,", l.toldLast, l.suspends, day)
	least("the suspension, after the start,", l.start, l.suspends, 30*day-12*time.Hour)
}

func (w *world) dueOf(id billing.CaseID) string {
	return scan[string](w, `select due_date::text || ' ' || due_at::text from invoices where id = $1`, string(id))
}

func hours(from, length int) downtime {
	return downtime{noon.Add(time.Duration(from) * time.Hour), noon.Add(time.Duration(from+length) * time.Hour)}
}

// TestT1OutagesOfOurs: the outages that are told of, each with how far the suspension moves at the least.
func TestT1OutagesOfOurs(t *testing.T) {
	for name, c := range map[string]struct {
		bad     bad
		backlog time.Duration
		moves   time.Duration // of the suspension, against a month without trouble
	}{
		"no trouble": {},
		"gateway down for three days over the second round":    {bad: bad{gateway: hours(3*24, 72)}, moves: 2 * day},
		"gateway down for three days over the first round":     {bad: bad{gateway: hours(-1, 72)}, moves: 2 * day},
		"workers down for a week over two rounds":              {bad: bad{workers: hours(5*24, 7*24)}, moves: 4 * day},
		"workers down for a week over the final notice":        {bad: bad{workers: hours(26*24, 7*24)}, moves: 5 * day},
		"workers down for a week over the last notice":         {bad: bad{workers: hours(28*24, 7*24)}, moves: 5 * day},
		"workers down for a week over the suspension":          {bad: bad{workers: hours(29*24+12, 7*24)}, moves: 6 * day},
		"mail down for a week over both notices":               {bad: bad{mail: hours(26*24, 7*24)}, moves: 5 * day},
		"mail down for an hour after the notice of suspension": {bad: bad{mail: hours(28*24+20, 3)}},
		"the due scan is ten days late":                        {backlog: 10 * day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.born(c.backlog)
			due := w.dueOf(id)
			l := w.live(id, c.bad)
			l.checks(t, due)
			undisturbed := l.start.Truncate(day).Add(30*day + 9*time.Hour)
			if moved := l.suspends.Sub(undisturbed); moved < c.moves || moved > c.moves+3*day+time.Hour {
				t.Errorf("the suspension moved by %s, want %s and hardly more", moved, c.moves)
			}
		})
	}
}

// month is a month of ours, drawn.
type month struct {
	bad     bad
	backlog time.Duration
}

var months = rapid.Custom(func(r *rapid.T) month {
	down := func(what string) downtime {
		return hours(rapid.IntRange(0, 40*24).Draw(r, what+" from"), rapid.SampledFrom([]int{0, 1, 3, 25, 72, 168, 400}).Draw(r, what+" for"))
	}
	return month{bad{down("workers"), down("gateway"), down("mail")}, time.Duration(rapid.IntRange(0, 12*24).Draw(r, "backlog")) * time.Hour}
})

// TestT1AnyOutages: whatever fails and whenever, no date of the customer's comes early. RECOUP_OUTAGES=1000 draws more months.
func TestT1AnyOutages(t *testing.T) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("RECOUP_OUTAGES"), "10"))
	if err != nil {
		t.Fatalf("RECOUP_OUTAGES: %v", err)
	}
	w := newWorld(t)
	for seed := range n {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w.t = t
			m := months.Example(seed)
			id := w.born(m.backlog)
			due := w.dueOf(id)
			w.live(id, m.bad).checks(t, due)
		})
	}
}
