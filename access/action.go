// Package access owns who may do what: the roles of staff and of an account's own people, the actions that every door asks about, and
// the one table between them. It is pure: it knows neither how somebody signed in nor where a session is kept. What no line of the table
// grants is denied.
package access

import (
	"sort"

	"recoup/billing"
)

// Action is one thing that a door asks permission for, such as "cases.read" or "resolve.write_off".
type Action string

// What may be read.
const (
	// Public is for what everybody may see: signing in, whether the console is alive.
	Public       Action = "public"
	ReadCases    Action = "cases.read"
	ReadAccounts Action = "accounts.read"
	ReadNotices  Action = "notices.read"
	ReadPolicies Action = "policies.read"
	ReadAuditLog Action = "audit.read"
	// ExportAuditLog takes the log out of Recoup, personal data of staff with it.
	ExportAuditLog Action = "audit.export"
)

// What changes something, beyond the resolutions.
const (
	// OverrideLimit decides beyond a limit of rules.md §8, such as a second promise within 12 months.
	OverrideLimit Action = "resolve.override_limit"
	// ConfirmDecision is the second person above the policy's sum (R2).
	ConfirmDecision Action = "resolve.confirm"
	EditPolicies    Action = "policies.edit"
	AssignPolicies  Action = "policies.assign"
	StopCharging    Action = "charging.stop"
	StartCharging   Action = "charging.start"
	// DecideSuspensions answers the breaker (S4).
	DecideSuspensions Action = "suspensions.decide"
	RunBatches        Action = "batches.run"
	ManageTokens      Action = "tokens.manage"
	EndSessions       Action = "sessions.end"
	// ChangeMethods adds, replaces, reorders and disables payment methods: a permission of its own (PM10).
	ChangeMethods Action = "methods.change"
	// CloseTasks says that what a task asked for is done; Refund that its money went back.
	CloseTasks Action = "tasks.close"
	Refund     Action = "tasks.refund"
	// OpenPortal makes a link by which an account's own person signs in.
	OpenPortal Action = "portal.open"
)

// What an account's own people do on their own account.
const (
	ReadOwn      Action = "own.read"
	PayNow       Action = "own.pay"
	AskForTime   Action = "own.ask_time"
	ManagePeople Action = "own.people"
)

// Resolve is the action of deciding so about a case or an account.
func Resolve(kind billing.ResolutionKind) Action { return Action("resolve." + string(kind)) }

// stepUp are the actions that want a fresh sign-in, whoever asks: what moves money for good, and what changes who may.
var stepUp = map[Action]bool{
	"resolve.write_off": true, "resolve.void": true, "resolve.reverse": true,
	ConfirmDecision: true, // it completes those
	Refund:          true, EditPolicies: true, AssignPolicies: true, ManageTokens: true, ExportAuditLog: true,
}

// NeedsFreshSignIn reports whether the action wants a sign-in of the last minutes.
func (a Action) NeedsFreshSignIn() bool { return stepUp[a] }

// Actions returns every action that the table knows, sorted.
func Actions() []Action {
	seen := map[Action]bool{}
	for _, granted := range table {
		for a := range granted {
			seen[a] = true
		}
	}
	all := make([]Action, 0, len(seen))
	for a := range seen {
		all = append(all, a)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}
