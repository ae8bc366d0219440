package console

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"time"

	"recoup/access"
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
	SignIn     string // where a fresh sign-in begins; "" when people don't sign in here

	CanRetry, CanHold, CanRelease, CanPay bool
	Methods                               []methodRow
	Currency                              string
	Due                                   string
	Zone                                  string
	Today, HoldFirst, HoldLast            string
	HoldUntil                             string
	HoldDays                              int
	Scopes                                []scopeTick
	specs                                 []formSpec // further forms, see More
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

// Any reports whether there is a form at all for who looks.
func (f resolveForms) Any() bool {
	return f.CanRetry || f.CanHold || f.CanRelease || f.CanPay || len(f.specs) > 0
}

// SignInAgain is the link that a form shows which was refused for want of a fresh sign-in. It opens in a tab of its own, so that what was
// typed stays where it is and can be sent again.
func (f resolveForms) SignInAgain() string {
	if f.Problem == "" || f.Field != fieldSignIn {
		return ""
	}
	return f.SignIn
}

// offer returns what who asks may do, for what a page offers; what a form decides is asked for again when it is sent.
func offer(r *http.Request) func(access.Action) bool {
	p := principalOf(r.Context())
	return func(a access.Action) bool { return p != nil && p.Can(a) }
}

// forms returns what the page's forms need, of those that who asks may use; nil when the page is read-only.
func (c *console) forms(w http.ResponseWriter, r *http.Request, d store.CaseDetail) *resolveForms {
	if c.Resolver == nil {
		return nil
	}
	may := offer(r)
	can := func(kind billing.ResolutionKind) bool { return may(access.Resolve(kind)) }
	now := c.Now().In(zoneOf(d.TimeZone))
	open := d.FinishedAt.IsZero()
	held := d.HeldUntil.After(c.Now())
	f := &resolveForms{
		Action: casePath(d.ID) + "/resolve", Token: c.formToken(w, r), RequestID: "console-" + rand.Text(),
		CanRetry: open && !held && can(billing.RetryNow), CanHold: open && can(billing.Hold), CanRelease: open && held && can(billing.Release),
		CanPay: can(billing.PaidOutOfBand), SignIn: c.signInAgain(),
		Methods: c.methodRows(d.Methods, d.Total.Currency()), Currency: d.Total.Currency().Code(), Due: d.Due.Decimal(), Zone: d.TimeZone,
		Today: now.Format(time.DateOnly), HoldFirst: now.Format(localMinute), HoldLast: now.Add(d.Limits.HoldMax()).Format(localMinute), HoldDays: d.Limits.HoldDays,
		HoldUntil: now.AddDate(0, 0, 3).Format("2006-01-02") + "T09:00",
	}
	f.Actor, f.ActorKnown = c.actor(r)
	f.Scopes = append([]scopeTick(nil), scopeTicks...)
	f.specs = offered(caseSpecs(d, now), may)
	return f
}

// refuse shows one form open, with what was typed: nothing was recorded.
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
