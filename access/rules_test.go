package access_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"recoup/access"
	"recoup/billing"
)

var update = flag.Bool("update", false, "write the table anew")

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func holder(r access.Role) access.Principal {
	p := access.Principal{ID: "s", Name: string(r), Roles: []access.Role{r}, SignedInAt: noon.Add(-time.Minute)}
	if r.OfAccount() {
		p.Account = "own"
	}
	return p
}

// TestTheTable holds every role × action × (own, another's, no account) against the table in docs, so that a change of it is seen.
func TestTheTable(t *testing.T) {
	var b strings.Builder
	roles := append(access.StaffRoles(), access.AccountRoles()...)
	b.WriteString("| action |")
	for _, r := range roles {
		fmt.Fprintf(&b, " %s |", r)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(roles)) + "\n")
	for _, a := range access.Actions() {
		name := string(a)
		if a.NeedsFreshSignIn() {
			name += " (fresh sign-in)"
		}
		fmt.Fprintf(&b, "| %s |", name)
		for _, r := range roles {
			fmt.Fprintf(&b, " %s |", cell(holder(r), a))
		}
		b.WriteString("\n")
	}
	const file = "testdata/table.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("the table changed; look at it and run with -update:\n%s", b.String())
	}
}

// cell says for which account the action is allowed: own, another's or all.
func cell(p access.Principal, a access.Action) string {
	own, other, none := p.May(a, "own", noon), p.May(a, "other", noon), p.May(a, "", noon)
	switch {
	case own == access.Allowed && other == access.Allowed && none == access.Allowed:
		return "all"
	case own == access.Allowed && other == access.NotFound && none == access.Denied:
		return "own"
	case own == access.Denied && other == access.Denied && none == access.Denied:
		return "·"
	}
	return fmt.Sprintf("own %s, other %s, none %s", own, other, none)
}

func TestEveryResolutionIsSomebodysToMake(t *testing.T) {
	for _, kind := range billing.ResolutionKinds() {
		if !access.Admin.May(access.Resolve(kind)) {
			t.Errorf("nobody may %s: it needs a line in the table", kind)
		}
		if access.Viewer.May(access.Resolve(kind)) {
			t.Errorf("a viewer may %s", kind)
		}
	}
}

func TestWhatNoLineGrantsIsDenied(t *testing.T) {
	for _, r := range append(access.StaffRoles(), access.AccountRoles()...) {
		if v := holder(r).May("launch.rockets", "own", noon); v != access.Denied {
			t.Errorf("%s may do what nobody was given: %s", r, v)
		}
	}
	if v := (access.Principal{}).May(access.ReadCases, "", noon); v != access.Denied {
		t.Errorf("nobody: %s", v)
	}
}

func TestFreshSignIn(t *testing.T) {
	p := holder(access.Finance)
	p.SignedInAt = noon.Add(-access.FreshFor)
	if v := p.May("resolve.write_off", "a", noon); v != access.Allowed {
		t.Errorf("just fresh: %s", v)
	}
	p.SignedInAt = p.SignedInAt.Add(-time.Second)
	if v := p.May("resolve.write_off", "a", noon); v != access.SignInAgain {
		t.Errorf("stale: %s", v)
	}
	if v := p.May(access.ConfirmDecision, "a", noon); v != access.SignInAgain {
		t.Errorf("confirming, which completes a write-off: %s", v)
	}
	if v := p.May("resolve.paid_out_of_band", "a", noon); v != access.Allowed {
		t.Errorf("an ordinary act wants no fresh sign-in: %s", v)
	}
}

func TestATokenHasItsScopesAndNoMore(t *testing.T) {
	p := access.Principal{Name: "ci", Roles: []access.Role{access.Admin}, Scopes: []access.Action{access.ReadCases, "resolve.write_off"}}
	for a, want := range map[access.Action]access.Verdict{
		access.ReadCases: access.Allowed, "resolve.write_off": access.Allowed, "resolve.void": access.Denied, access.ReadAccounts: access.Denied,
	} {
		if v := p.May(a, "a", noon); v != want {
			t.Errorf("%s: %s, want %s", a, v, want)
		}
	}
	if v := (access.Principal{Scopes: []access.Action{}, Roles: []access.Role{access.Admin}}).May(access.ReadCases, "", noon); v != access.Denied {
		t.Errorf("a token without scopes: %s", v)
	}
	p.Account = "own"
	if v := p.May(access.ReadCases, "other", noon); v != access.NotFound {
		t.Errorf("another's account: %s", v)
	}
}

func TestRolesDontCrossSides(t *testing.T) {
	staffBound := access.Principal{Roles: []access.Role{access.Admin}, Account: "own"}
	if v := staffBound.May(access.ReadCases, "own", noon); v != access.Denied {
		t.Errorf("a staff role bound to an account: %s", v)
	}
	ownerLoose := access.Principal{Roles: []access.Role{access.Owner}}
	if v := ownerLoose.May(access.ReadOwn, "own", noon); v != access.Denied {
		t.Errorf("an owner of no account: %s", v)
	}
}

func TestParseRole(t *testing.T) {
	if r, err := access.ParseRole("finance"); r != access.Finance || err != nil {
		t.Error(r, err)
	}
	if _, err := access.ParseRole("root"); err == nil || !strings.Contains(err.Error(), "supervisor") {
		t.Error(err)
	}
}
