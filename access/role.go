package access

import (
	"fmt"
	"slices"
	"strings"
)

// Role is what somebody is to Recoup.
type Role string

// The roles of staff.
const (
	Viewer     Role = "viewer"     // reads everything
	Support    Role = "support"    // talks to customers: time, holds, retries
	Supervisor Role = "supervisor" // support that may go beyond limits and confirm
	Finance    Role = "finance"    // money: recording, writing off, voiding, reversing
	Operator   Role = "operator"   // keeps the machine running: outages, unknown outcomes, batches
	Admin      Role = "admin"      // everything that staff may
)

// The roles of an account's own people.
const (
	Owner          Role = "owner"
	BillingManager Role = "billing_manager"
	AccountViewer  Role = "account_viewer"
)

// StaffRoles returns the roles that see every account.
func StaffRoles() []Role { return []Role{Viewer, Support, Supervisor, Finance, Operator, Admin} }

// AccountRoles returns the roles that are bound to one account.
func AccountRoles() []Role { return []Role{Owner, BillingManager, AccountViewer} }

// OfAccount reports whether the role is one of an account's own people.
func (r Role) OfAccount() bool { return slices.Contains(AccountRoles(), r) }

// ParseRole reads a role; the error lists those there are.
func ParseRole(text string) (Role, error) {
	all := append(StaffRoles(), AccountRoles()...)
	if r := Role(text); slices.Contains(all, r) {
		return r, nil
	}
	names := make([]string, len(all))
	for n, r := range all {
		names[n] = string(r)
	}
	return "", fmt.Errorf("%q is no role; there are %s", text, strings.Join(names, ", "))
}

type grants map[Action]bool

func grant(more grants, actions ...Action) grants {
	g := grants{}
	for a := range more {
		g[a] = true
	}
	for _, a := range actions {
		g[a] = true
	}
	return g
}

// table is the whole of who may do what. A new action is granted to nobody, not even to admin, until it has a line here.
var table = func() map[Role]grants {
	t := map[Role]grants{}
	t[Viewer] = grant(nil, Public, ReadCases, ReadAccounts, ReadNotices, ReadPolicies, ReadAuditLog)
	t[Support] = grant(t[Viewer], "resolve.retry_now", "resolve.hold", "resolve.release", "resolve.promise_to_pay", "resolve.dispute",
		"resolve.extend", CloseTasks, OpenPortal)
	t[Supervisor] = grant(t[Support], OverrideLimit, ConfirmDecision, "resolve.grant_credit", "resolve.paid_out_of_band",
		"resolve.end_dispute", "resolve.never_suspend", "resolve.suspend_now", "resolve.reinstate", ChangeMethods, RunBatches)
	t[Finance] = grant(t[Viewer], ConfirmDecision, "resolve.paid_out_of_band", "resolve.grant_credit", "resolve.write_off", "resolve.void",
		"resolve.resolve_unknown", "resolve.reverse", "resolve.dispute", "resolve.end_dispute", CloseTasks, Refund, ExportAuditLog)
	t[Operator] = grant(t[Viewer], "resolve.retry_now", "resolve.hold", "resolve.release", "resolve.resolve_unknown", "resolve.reinstate",
		StopCharging, StartCharging, DecideSuspensions, CloseTasks, RunBatches)
	t[Admin] = grant(t[Viewer], EditPolicies, AssignPolicies, ManageTokens, EndSessions, "resolve.close_account")
	for _, r := range []Role{Supervisor, Finance, Operator} {
		for a := range t[r] {
			t[Admin][a] = true
		}
	}
	t[AccountViewer] = grant(nil, Public, ReadOwn)
	t[BillingManager] = grant(t[AccountViewer], PayNow, AskForTime, ChangeMethods)
	t[Owner] = grant(t[BillingManager], ManagePeople)
	return t
}()

// May reports whether the role's line grants the action; which account it is about is Principal.May's business.
func (r Role) May(a Action) bool { return a == Public || table[r][a] }
