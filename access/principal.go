package access

import (
	"slices"
	"time"

	"recoup/billing"
)

// FreshFor is how long a sign-in counts as fresh for the actions that want one.
const FreshFor = 10 * time.Minute

// Principal is who asks: a person with a session, or a program with a token.
type Principal struct {
	// ID is the session or token, for the audit log; Name is the actor that decisions are recorded under.
	ID   string
	Name string
	// Roles: what a person is. A token has none but its scopes.
	Roles []Role
	// Scopes: what a token was given, action by action.
	Scopes []Action
	// Account binds an account's own person, or a token made for one account, to it; "" sees all.
	Account billing.AccountID
	// SignedInAt is when the person last proved who they are; zero for a token.
	SignedInAt time.Time
}

// Token reports whether a program asks.
func (p Principal) Token() bool { return p.Scopes != nil }

// Verdict is the answer to "may they?".
type Verdict string

// The verdicts. NotFound is for another's account: it looks as one that isn't there (I19).
const (
	Allowed     Verdict = "allowed"
	Denied      Verdict = "denied"
	NotFound    Verdict = "not_found"
	SignInAgain Verdict = "sign_in_again"
)

// May answers whether the principal may do the action, about one account, or about "" when it concerns none or all. now dates the
// sign-in. A token can't sign in again: an action that wants a fresh sign-in is its own only when its scopes name it.
func (p Principal) May(a Action, account billing.AccountID, now time.Time) Verdict {
	if a == Public {
		return Allowed
	}
	switch {
	case !p.granted(a):
		return Denied
	case p.Account != "" && account == "":
		return Denied
	case p.Account != "" && account != p.Account:
		return NotFound
	case a.NeedsFreshSignIn() && !p.Token() && now.Sub(p.SignedInAt) > FreshFor:
		return SignInAgain
	}
	return Allowed
}

func (p Principal) granted(a Action) bool {
	if p.Token() {
		return slices.Contains(p.Scopes, a)
	}
	return slices.ContainsFunc(p.Roles, func(r Role) bool {
		// A role of an account's people means nothing without the account, and a staff role nothing with one.
		return r.OfAccount() == (p.Account != "") && r.May(a)
	})
}

// Can reports whether the principal may do it at all, a fresh sign-in aside: for what a page offers.
func (p Principal) Can(a Action) bool { return a == Public || p.granted(a) }
