package console

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

// entry is one thing that happened.
type entry struct {
	Key     string // the same at every look, so that a live update knows it again
	At      moment
	Icon    string // a symbol of the layout
	Sort    string // what it is, in a word
	Tone    string
	Title   string
	Amount  string
	Text    string
	Details [][2]string
	More    [][2]string // for those who look closer
	Steps   []entryStep
	Path    string // for lists over several cases
	Number  string

	instant time.Time
	order   int
}

// entryStep is a change inside an entry.
type entryStep struct {
	At   moment
	Text string
}

// timeline merges everything that happened to a case, newest first.
func (c *console) timeline(d store.CaseDetail) []entry {
	var all []entry
	for n := len(d.Events) - 1; n >= 0; n-- { // oldest first, like the rest
		e := d.Events[n]
		if toldElsewhere[e.Kind] {
			continue
		}
		told := c.eventEntry(e, d.TimeZone)
		told.Path = "" // it is this very page
		all = append(all, told)
	}
	for _, a := range d.Attempts {
		all = append(all, c.attemptEntry(a, d.TimeZone))
	}
	all = append(all, c.bookingEntries(d)...)
	all = append(all, c.noticeEntries(d)...)
	for _, r := range d.Resolutions {
		all = append(all, c.resolutionEntry(r, d.TimeZone))
	}
	for n := range all {
		all[n].order = n
		all[n].At = c.moment(all[n].instant, d.TimeZone, true)
	}
	sort.SliceStable(all, func(i, j int) bool {
		if !all[i].instant.Equal(all[j].instant) {
			return all[i].instant.After(all[j].instant)
		}
		return all[i].order > all[j].order
	})
	return all
}

// toldElsewhere are events whose own rows (attempts, resolutions, bookings) say more.
var toldElsewhere = map[string]bool{"attempt": true, "resolution": true, "credits_applied": true, "funds_used": true, "receipt": true}

// eventWords are the titles of the kinds of events; a kind without one is shown by its name.
var eventWords = map[string]struct{ title, icon, sort, tone string }{
	"opened":               {"Case opened", "flag", "Case", "blue"},
	"stage":                {"Stage changed", "flag", "Stage", "amber"},
	"methods_changed":      {"Payment methods changed", "card", "Account", "violet"},
	"policy_moved":         {"Moved to another policy", "person", "Decision", "violet"},
	"finished":             {"Case finished", "check", "Case", "green"},
	"round_began":          {"Round began", "round", "Round", "blue"},
	"round_ended":          {"Round ended", "round", "Round", "grey"},
	"clock_shifted":        {"Stage clock moved", "clock", "Clock", "violet"},
	"credits_applied":      {"Credits applied", "coins", "Money", "violet"},
	"funds_used":           {"Advance funds used", "coins", "Money", "green"},
	"receipt":              {"Payment received", "coins", "Money", "green"},
	"unapplied":            {"Money kept as unapplied funds", "coins", "Money", "teal"},
	"standing":             {"Account's standing changed", "warning", "Account", "red"},
	"suspension_postponed": {"Suspension put off", "clock", "Account", "violet"},
	"reopened":             {"Invoice reopened", "warning", "Case", "red"},
	"payment_returned":     {"Payment taken back by the bank", "warning", "Money", "red"},
	"attempt":              {"Attempt", "card", "Attempt", "blue"},
	"resolution":           {"Decision", "person", "Decision", "violet"},
	"task":                 {"A person is asked", "person", "Task", "amber"},
}

func (c *console) eventEntry(e store.CaseEvent, zone string) entry {
	words, known := eventWords[e.Kind]
	if !known {
		words.title, words.icon, words.sort, words.tone = sentence(e.Kind), "dot", "Event", "grey"
	}
	data := readData(e.Data)
	out := entry{Key: "event-" + strconv.FormatInt(e.ID, 10), instant: e.At, Icon: words.icon, Sort: words.sort, Tone: words.tone, Title: words.title, Path: casePath(e.Case), Number: e.Number}
	switch e.Kind {
	case "stage":
		to := dunning.Stage(data.take("to"))
		from := dunning.Stage(data.take("from"))
		out.Title, out.Tone = "Stage: "+stageBadge(to, "").Text, stageBadge(to, "").Tone
		out.Text = "Before: " + stageBadge(from, "").Text
	case "opened":
		out.Text = "Policy " + data.take("policy") + " " + data.take("version")
		if why := data.take("because"); why != "" {
			out.Text += ": " + why
		}
	case "policy_moved":
		out.Title, out.Text = "Moved to policy "+data.policy("to"), "Before: "+data.policy("from")
	case "finished":
		outcome := billing.InvoiceState(data.take("outcome"))
		data.take("from")
		out.Title = "Case finished: " + stageBadge(dunning.StageFinished, outcome).Text
		out.Tone = stageBadge(dunning.StageFinished, outcome).Tone
	case "round_began":
		out.Title = "Round " + data.take("round") + " began"
		out.Text = roundCause(data.take("cause")) + "; " + data.take("usable") + " of " + plural(data.take("methods"), "method") + " usable"
	case "round_ended":
		out.Title = "Round " + data.take("round") + " ended: " + strings.ReplaceAll(data.take("result"), "_", " ")
	case "attempt":
		outcome := attemptBadges[billing.AttemptState(data.take("outcome"))]
		out.Title, out.Tone = "Attempt: "+strings.ToLower(outcome.Text), outcome.Tone
		data.take("attempt")
	case "standing":
		standing := billing.Standing(data.take("standing"))
		b := standingBadges[standing]
		out.Title, out.Tone, out.Text = "Account is now "+strings.ToLower(b.Text), b.Tone, sentence(data.take("why"))
		if standing == billing.StandingActive {
			out.Icon = "check"
		}
	case "suspension_postponed":
		out.Text = sentence(data.take("why"))
	case "clock_shifted":
		if seconds, err := strconv.ParseInt(data.take("seconds"), 10, 64); err == nil {
			out.Text = "Every later date moved by " + span(time.Duration(seconds)*time.Second) + ": " + data.take("why")
		}
	}
	out.Amount = c.takeAmount(data, "amount")
	out.Details = c.details(data, zone)
	return out
}

func roundCause(cause string) string {
	switch cause {
	case "scheduled":
		return "Scheduled by the policy"
	case "machine":
		return "Early, because something changed"
	case "person":
		return "Early, because a person asked"
	}
	return sentence(cause)
}

func plural(count, noun string) string {
	if count == "1" {
		return "1 " + noun
	}
	return count + " " + noun + "s"
}

func (c *console) attemptEntry(a store.AttemptView, zone string) entry {
	b := attemptBadges[a.State]
	out := entry{
		Key: "attempt-" + string(a.ID), instant: a.CreatedAt, Icon: "card", Sort: "Attempt", Tone: b.Tone, Amount: c.money(a.Amount),
		Title: methodName(a.Masked) + ": " + strings.ToLower(b.Text),
	}
	if a.DeclineCode == "" {
		out.Text = a.Message
	}
	out.Details = nonEmpty([][2]string{
		{"Round", fmt.Sprintf("%d, %s", a.Round, strings.ToLower(placeOf(a.Position)))},
		{"Class", strings.ReplaceAll(a.Class, "_", " ")}, {"Decline code", a.DeclineCode}, {"Advice", strings.ReplaceAll(a.AdviceCode, "_", " ")},
	})
	out.More = nonEmpty([][2]string{
		{"Network code", a.NetworkCode}, {"Ruling", a.Ruling}, {"Gateway reference", a.Reference}, {"Idempotency key", string(a.ID)},
	})
	if a.DeclineCode != "" && a.Message != "" {
		out.More = append(out.More, [2]string{"The gateway said", a.Message})
	}
	if a.Sends > 1 {
		out.Details = append(out.Details, [2]string{"Sent", strconv.Itoa(a.Sends) + " times, same key"})
	}
	if a.Lookups > 0 {
		out.Details = append(out.Details, [2]string{"Looked up", plural(strconv.Itoa(a.Lookups), "time")})
	}
	if !a.NextAt.IsZero() && !a.State.Final() {
		m := c.moment(a.NextAt, zone, true)
		out.Details = append(out.Details, [2]string{"Next look", m.Text + " " + m.Zone})
	}
	before := a.CreatedAt.In(zoneOf(zone)).YearDay()
	for _, e := range a.Events {
		if e.To == billing.AttemptIntent {
			continue // its row says so
		}
		step := entryStep{At: c.moment(e.At, zone, true), Text: attemptBadges[e.To].Text}
		if e.To == billing.AttemptSent {
			step.Text = "Sent"
		}
		if day := e.At.In(zoneOf(zone)).YearDay(); day == before {
			step.At.Text = step.At.Clock
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}

// bookingEntries tells of money that moved without an attempt: credits, advance funds, what a person recorded, reversals.
func (c *console) bookingEntries(d store.CaseDetail) []entry {
	var out []entry
	for _, b := range d.Bookings {
		text, tone, attempt := sourceOf(b, d.Attempts)
		if attempt && !b.Amount.IsNegative() || b.Kind == string(billing.PostInvoiceIssued) || b.At.Before(d.OpenedAt) && d.Episode > 1 {
			continue
		}
		e := entry{Key: "booking-" + b.Key, instant: b.At, Icon: "coins", Sort: "Money", Tone: tone, Title: text, Amount: c.money(b.Amount)}
		switch {
		case b.Amount.IsNegative():
			e.Title, e.Tone = text+" taken back", "red"
		case tone != "grey" && tone != "amber":
			e.Title = text + " applied"
		}
		out = append(out, e)
	}
	return out
}

// noticeEntries tells of each notice once, with what became of it on every channel.
func (c *console) noticeEntries(d store.CaseDetail) []entry {
	type key struct{ kind, occasion string }
	place := map[key]int{}
	var out []entry
	for _, n := range d.Notices {
		k := key{n.Kind, n.Occasion}
		at, seen := place[k]
		if !seen {
			at = len(out)
			place[k] = at
			out = append(out, entry{Key: "notice-" + n.Kind + "-" + n.Occasion, instant: n.CreatedAt, Icon: "mail", Sort: "Notice", Tone: "blue", Title: "Customer told: " + strings.ToLower(sentence(n.Kind))})
		}
		e := &out[at]
		where := "Console"
		if n.Channel == "email" {
			where = fmt.Sprintf("Mail to contact %d", n.Recipient)
		} else if n.State == "sent" {
			e.Path = "/notices/" + n.ID
		}
		if n.Subject != "" {
			e.Text = n.Subject
		}
		state := sentence(n.State)
		if n.Problem != "" {
			state += ": " + n.Problem
		}
		if n.State == "failed" {
			e.Tone = "red"
		}
		e.Details = append(e.Details, [2]string{where, state})
	}
	return out
}

func (c *console) resolutionEntry(r store.ResolutionView, zone string) entry {
	data := readData(r.Fields)
	for _, repeated := range []string{"request_id", "kind", "case", "actor", "reason"} {
		data.take(repeated)
	}
	answer := readData(r.Answer)
	out := entry{
		Key: "decision-" + r.RequestID, instant: r.At, Icon: "person", Sort: "Decision", Tone: "violet", Title: sentence(r.Kind), Text: "“" + r.Reason + "”",
		Amount: c.takeAmount(data, "amount"),
	}
	out.Details = append(nonEmpty([][2]string{{"Decided by", r.Actor}, {"Effect", answer.text("changed")}}), c.details(data, zone)...)
	out.More = [][2]string{{"Request", r.RequestID}}
	return out
}
