package console

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

// localMinute is how a browser writes <input type=datetime-local>.
const localMinute = "2006-01-02T15:04"

// resolveForms is what the forms of a case's page need.
type resolveForms struct {
	Action     string
	Token      string
	RequestID  string
	Actor      string
	ActorKnown bool                   // by the proxy: not asked for
	Open       billing.ResolutionKind // the form to show open
	Problem    string
	Field      string
	Values     url.Values

	CanRetry, CanHold, CanRelease bool
	Methods                       []methodRow
	Currency                      string
	Due                           string
	Zone                          string
	Today, HoldFirst, HoldLast    string
	HoldUntil                     string
	Scopes                        []scopeTick
	specs                         []formSpec // further forms, see More
}

// scopeTick is one thing a hold can stop.
type scopeTick struct {
	Value dunning.HoldScope
	Text  string
	On    bool
}

var scopeTicks = []scopeTick{
	{dunning.HoldAttempts, "Attempts on payment methods", true},
	{dunning.HoldNotices, "Notices to the customer", false},
	{dunning.HoldSuspension, "Suspension of the account", true},
}

// Value is what the person had typed, so that a refused form loses nothing.
func (f resolveForms) Value(kind billing.ResolutionKind, name, fallback string) string {
	if f.Open == kind && f.Values.Has(name) {
		return f.Values.Get(name)
	}
	return fallback
}

// Wrong reports whether the refusal is about this field of this form.
func (f resolveForms) Wrong(kind billing.ResolutionKind, field string) bool {
	return f.Open == kind && f.Field == field && f.Problem != ""
}

// forms returns what the page's forms need; nil when the page is read-only.
func (c *console) forms(w http.ResponseWriter, r *http.Request, d store.CaseDetail) *resolveForms {
	if c.Resolver == nil {
		return nil
	}
	now := c.Now().In(zoneOf(d.TimeZone))
	open := d.FinishedAt.IsZero()
	held := d.HeldUntil.After(c.Now())
	f := &resolveForms{
		Action: casePath(d.ID) + "/resolve", Token: c.formToken(w, r), RequestID: "console-" + rand.Text(),
		CanRetry: open && !held, CanHold: open, CanRelease: open && held,
		Methods: c.methodRows(d.Methods, d.Total.Currency()), Currency: d.Total.Currency().Code(), Due: d.Due.Decimal(), Zone: d.TimeZone,
		Today: now.Format(time.DateOnly), HoldFirst: now.Format(localMinute), HoldLast: now.AddDate(0, 0, 14).Format(localMinute),
		HoldUntil: now.AddDate(0, 0, 3).Format("2006-01-02") + "T09:00",
	}
	f.Actor, f.ActorKnown = c.actor(r)
	f.Scopes = append([]scopeTick(nil), scopeTicks...)
	f.specs = caseSpecs(d, now)
	return f
}

// refuse shows one form open, with what was typed and the same request id: nothing was recorded.
func (f *resolveForms) refuse(given url.Values, refusal *billing.Refusal) {
	f.Open, f.Values = billing.ResolutionKind(given.Get("kind")), given
	f.Problem, f.Field = refusal.Message, refusal.Field
	if f.Actor == "" {
		f.Actor = given.Get("actor")
	}
	for n := range f.Scopes {
		f.Scopes[n].On = f.Open != billing.Hold && f.Scopes[n].On || slices.Contains(given["scope"], string(f.Scopes[n].Value))
	}
}

// reasonFields are the fields that every form ends with.
type reasonFields struct {
	Reason, Actor, Problem  string
	AskActor                bool
	ReasonWrong, ActorWrong bool
}

// For returns the common fields of one form.
func (f resolveForms) For(kind billing.ResolutionKind) reasonFields {
	return reasonFields{
		Reason: f.Value(kind, "reason", ""), Actor: f.Actor, Problem: f.Problem, AskActor: !f.ActorKnown,
		ReasonWrong: f.Wrong(kind, "reason"), ActorWrong: f.Wrong(kind, "actor"),
	}
}
