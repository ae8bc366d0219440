package workflows_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"recoup/audit/model"
	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// drawn is a case of the model with what only the play needs to know.
type drawn struct {
	model.Case
	id      string
	due     time.Time // the due date
	collect time.Time // when it is collected from (T2)
}

// draw makes case n of a seed: always the same one.
func draw(seed uint64, n int) drawn {
	r := dice{rand.New(rand.NewPCG(seed, uint64(n)))}
	d := drawn{id: fmt.Sprintf("s%d-%d", seed, n), due: time.Date(2027, 1, 1+r.IntN(3600), 0, 0, 0, 0, time.UTC)}
	d.Zone = pick(r, zones...)
	d.Currency = money.MustCurrency(pick(r, "USD", "USD", "EUR", "JPY", "KWD"))
	name := pick(r, "standard", "standard", "fast")
	d.Policy, _ = dunning.Latest(name)
	d.begin(r)
	d.amounts(r)
	for i := range r.IntN(5) {
		d.Methods = append(d.Methods, r.method(string(rune('a'+i)), d.due))
	}
	for range r.IntN(3) {
		d.Deaths = append(d.Deaths, r.death(d.Methods))
	}
	d.happenings(r)
	for _, h := range d.Happenings { // a method that is added later may refuse too
		for i, death := range d.Deaths {
			if refuses(h.New) && (death == model.DiesBeforeSend || death == model.DiesAfterAnswer) {
				d.Deaths[i] = model.DiesAfterIntent
			}
		}
	}
	return d
}

var zones = func() (all []*time.Location) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/Sao_Paulo"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		all = append(all, zone)
	}
	return all
}()

// dice are the one source of chance.
type dice struct{ *rand.Rand }

func pick[T any](r dice, of ...T) T { return of[r.IntN(len(of))] }

// one in n.
func (r dice) one(n int) bool { return r.IntN(n) == 0 }

func (r dice) between(from, to time.Duration) time.Duration {
	return (from + time.Duration(r.Int64N(int64(to-from)))).Truncate(time.Minute)
}

// begin sets when the case opens: when it is collected from, sometimes late. The invoice's jitter is free (T2): it is asked for.
func (d *drawn) begin(r dice) {
	y, m, day := d.due.Date()
	nine := time.Date(y, m, day+1, 9, 0, 0, 0, d.Zone)
	due, err := dunning.DueAt(d.due.Format(time.DateOnly), d.Zone.String())
	if err != nil {
		panic(err)
	}
	if d.collect, err = d.Policy.CollectAt(due, d.Zone.String(), billing.InvoiceID(d.id)); err != nil {
		panic(err)
	}
	d.Jitter, d.Pause = d.collect.Sub(nine), time.Hour
	d.Start = d.collect
	if r.one(8) {
		d.Start = d.Start.Add(r.between(time.Hour, 40*time.Hour))
	}
}

// amounts stay below the sum that needs a second person (R2).
func (d *drawn) amounts(r dice) {
	large := func() model.Minor { return model.Minor(500 + r.IntN(28_000)) }
	for i := range 1 + r.IntN(3) {
		d.Lines = append(d.Lines, model.Line{Service: pick(r, "Compute", "Storage", "Support"), Tax: i > 0 && r.one(4), Amount: large()})
	}
	if r.one(10) { // less than anybody is suspended for
		d.Lines = []model.Line{{Service: "Compute", Amount: model.Minor(20 + r.IntN(70))}}
	}
	for i := range max(0, r.IntN(5)-2) {
		d.Credits = append(d.Credits, d.someCredit(r, fmt.Sprintf("c%d", i), d.Start))
	}
	for i := range max(0, r.IntN(6)-3) {
		d.Deposits = append(d.Deposits, model.Deposit{ID: fmt.Sprintf("d%d", i), Amount: large() / 3})
	}
}

func (d *drawn) someCredit(r dice, id string, now time.Time) model.Credit {
	c := model.Credit{ID: id, Amount: model.Minor(100 + r.IntN(20_000))}
	if r.one(2) {
		c.Services = pick(r, []string{"Compute"}, []string{"Storage"}, []string{"Compute", "Storage"})
	}
	if r.one(2) { // the end of a local day, some of them past
		y, m, day := now.In(d.Zone).Date()
		c.Expires = time.Date(y, m, day+r.IntN(40)-5, 0, 0, 0, 0, d.Zone)
	}
	return c
}

func (r dice) method(id string, due time.Time) model.Method {
	m := model.Method{ID: id, Brand: pick(r, "visa", "visa", "mastercard"), Bank: r.one(5)}
	if !m.Bank && r.one(10) {
		m.Expires = time.Date(due.Year(), due.Month()+time.Month(1+r.IntN(3)), 1, 0, 0, 0, 0, time.UTC)
	}
	for range 1 + r.IntN(6) {
		m.Answers = append(m.Answers, r.answer(m.Bank))
	}
	// What repeats for ever ends an attempt.
	m.Answers = append(m.Answers, model.Answer{Say: pick(r, model.SaysSoft, model.SaysSoft, model.SaysIssuer, model.SaysHard, model.SaysYes)})
	return m
}

func (r dice) answer(bank bool) model.Answer {
	turn := func(from, to time.Duration, of ...model.Saying) []model.Turn {
		if s := pick(r, of...); s != "" {
			return []model.Turn{{After: r.between(from, to) + 17*time.Second, Say: s}}
		}
		return nil
	}
	switch n := r.IntN(100); {
	case n < 10:
		return model.Answer{Say: model.SaysYes}
	case n < 34:
		return model.Answer{Say: model.SaysSoft}
	case n < 44:
		return model.Answer{Say: model.SaysIssuer}
	case n < 48:
		return model.Answer{Say: pick(r, model.SaysHard, model.SaysFix, model.SaysAuth, model.SaysRisk)}
	case n < 58:
		return model.Answer{Say: model.SaysBusy}
	case n < 64:
		return model.Answer{Say: model.SaysRefused}
	case n < 78:
		return model.Answer{Say: model.SaysNothing, Turns: r.turnsOfNothing()}
	case n < 90 && bank, n < 80:
		a := model.Answer{Say: model.SaysPending, Turns: turn(2*time.Hour, 12*24*time.Hour, model.SaysYes, model.SaysSoft, model.SaysIssuer, "")}
		if r.one(3) {
			a.Turns = turn(time.Hour, 20*time.Hour, model.SaysConfirm, model.SaysNothing)
		}
		return a
	case n < 92:
		a := model.Answer{Say: model.SaysConfirm, Turns: turn(5*time.Minute, 30*time.Hour, model.SaysYes, model.SaysYes, model.SaysIssuer, "")}
		if r.one(3) {
			a.Turns = turn(time.Hour, 20*time.Hour, model.SaysPending, model.SaysNothing)
		}
		return a
	}
	return model.Answer{Say: model.SaysSoft}
}

func (r dice) turnsOfNothing() []model.Turn {
	s := pick(r, model.SaysYes, model.SaysYes, model.SaysSoft, model.SaysHard, model.SaysNoTraces, model.SaysPending, model.SaysConfirm, "")
	if s == "" {
		return nil
	}
	longest := 60 * time.Hour
	if s == model.SaysPending || s == model.SaysConfirm {
		longest = 10 * time.Hour
	}
	turns := []model.Turn{{After: r.between(0, longest) + 17*time.Second, Say: s}}
	if longest == 10*time.Hour && r.one(2) {
		turns = append(turns, model.Turn{After: turns[0].After + r.between(time.Hour, 12*time.Hour), Say: pick(r, model.SaysYes, model.SaysSoft)})
	}
	return turns
}

// death never falls between the sends of an answer that says the send was not processed: what that is worth after a death is another
// rule's matter (D2).
func (r dice) death(methods []model.Method) model.Death {
	if slices.ContainsFunc(methods, refuses) {
		return pick(r, model.DiesNowhere, model.DiesAfterIntent, model.DiesAfterCommit)
	}
	return pick(r, model.DiesNowhere, model.DiesAfterIntent, model.DiesBeforeSend, model.DiesAfterAnswer, model.DiesAfterCommit)
}

// refuses says that a method's gateway says of some send that it was not processed.
func refuses(m model.Method) bool {
	return slices.ContainsFunc(m.Answers, func(a model.Answer) bool {
		proved := slices.ContainsFunc(a.Turns, func(t model.Turn) bool { return t.Say == model.SaysNoTraces })
		return a.Say == model.SaysBusy || a.Say == model.SaysRefused || proved
	})
}

// lasting is how long a case goes on before somebody pays.
const lasting = 75

// happenings draws what happens, and ends the case.
func (d *drawn) happenings(r dice) {
	days := pick(r, 10, 30, lasting, lasting)
	for range r.IntN(12) {
		at := d.sometime(r, days)
		h := d.happening(r, at)
		d.Happenings = append(d.Happenings, h)
		soon := d.sensible(at.Add(r.between(time.Hour, 240*time.Hour)))
		switch {
		case h.Do == model.StopCharging:
			d.Happenings = append(d.Happenings, model.Happening{At: soon, Do: model.StartCharging})
		case h.Do == model.HoldFor && r.one(3):
			d.Happenings = append(d.Happenings, model.Happening{At: soon, Do: model.Release})
		case h.Do == model.HoldFor && r.one(3):
			d.Happenings = append(d.Happenings, model.Happening{At: soon, Do: model.HoldFor, Until: soon.Add(r.between(time.Hour, 300*time.Hour) + 29*time.Second)})
		}
	}
	slices.SortStableFunc(d.Happenings, func(a, b model.Happening) int { return cmp.Compare(a.At.Unix(), b.At.Unix()) })
	d.Happenings = slices.CompactFunc(d.Happenings, func(later, h model.Happening) bool {
		return later.At.Sub(h.At) < 5*time.Minute && later.Do != model.StartCharging
	})
	// Nothing happens while no worker runs, but that it ends.
	var until time.Time
	d.Happenings = slices.DeleteFunc(d.Happenings, func(h model.Happening) bool {
		if h.At.Before(until) && h.Do != model.StartCharging {
			return true
		}
		if h.Do == model.WorkersDown {
			until = h.Until
		}
		return false
	})
	end := func(day int, do model.Doing) {
		d.Happenings = append(d.Happenings, model.Happening{At: d.Start.Truncate(24*time.Hour).AddDate(0, 0, lasting+12+day).Add(15*time.Hour + time.Duration(30+day)*time.Second), Do: do})
	}
	end(0, model.StartCharging)
	end(2, model.FoundNothing)
	end(5, model.PaidElsewhere)
	end(7, model.FoundNothing)
	end(20, model.FoundNothing)
}

// endings is how many happenings end every case.
const endings = 5

// sometime is a time of the case's life that is not a morning: what happens in the same minute as a round may come before or after it.
func (d *drawn) sometime(r dice, days int) time.Time {
	return d.sensible(d.Start.Add(10*time.Minute + r.between(0, time.Duration(days)*24*time.Hour) + time.Duration(r.IntN(25)+3)*time.Second))
}

func (d *drawn) sensible(at time.Time) time.Time {
	if local := at.In(d.Zone); local.Hour() == 8 && local.Minute() > 40 || local.Hour() == 9 || local.Hour() == 10 && local.Minute() < 20 {
		return at.Add(4 * time.Hour)
	}
	return at
}

func (d *drawn) happening(r dice, at time.Time) model.Happening {
	h := model.Happening{At: at, Do: pick(r, model.PaidElsewhere, model.RetryNow, model.RetryNow, model.HoldFor, model.HoldFor, model.Release, model.FoundCaptured,
		model.FoundNothing, model.AddMethod, model.DisableMethod, model.FixMethod, model.FundsArrive, model.GrantCredit, model.Webhook, model.Webhook, model.Poke,
		model.StopCharging, model.Terminate, model.WorkersDown, model.Chargeback, model.Chargeback)}
	some := string(rune('a' + r.IntN(4)))
	id := fmt.Sprintf("x%d", at.Unix())
	switch h.Do {
	case model.PaidElsewhere:
		if h.Amount = model.Minor(1 + r.IntN(40_000)); r.one(4) {
			h.Amount = 0 // whatever is due
		}
	case model.RetryNow:
		if r.one(3) {
			h.Method = some
		}
	case model.HoldFor:
		h.Until, h.OnlyEscalation = at.Add(r.between(time.Hour, 16*24*time.Hour)+23*time.Second), r.one(4)
	case model.AddMethod:
		h.New = r.method(id, d.due)
	case model.DisableMethod, model.FixMethod:
		h.Method = some
	case model.FundsArrive:
		h.Method, h.Amount = id, model.Minor(100+r.IntN(20_000))
	case model.GrantCredit:
		h.Credit = d.someCredit(r, id, at)
	case model.WorkersDown:
		h.Until = d.sensible(at.Add(r.between(time.Hour, 72*time.Hour)))
	default:
	}
	return h
}
