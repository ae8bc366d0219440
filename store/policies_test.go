package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

var ada = store.Order{Actor: "ada", Reason: "as agreed", RequestID: "req-1"}

// version is a document of another policy: standard's, changed by replacements.
func version(t testing.TB, name string, version int, changes ...string) []byte {
	t.Helper()
	for _, f := range dunning.ShippedFiles() {
		if f.Name == "standard" {
			changes = append([]string{"name: standard", "name: " + name, "version: 1", fmt.Sprint("version: ", version)}, changes...)
			return []byte(strings.NewReplacer(changes...).Replace(f.Document))
		}
	}
	t.Fatal("no policy standard")
	return nil
}

func (w *world) addPolicy(document []byte) dunning.Policy {
	w.t.Helper()
	p, fresh, err := w.AddPolicy(context.Background(), document, ada)
	if err != nil || !fresh {
		w.t.Fatalf("fresh %v, %v", fresh, err)
	}
	return p
}

func (w *world) assign(r dunning.Assignment) dunning.Assignment {
	w.t.Helper()
	r, _, err := w.AssignPolicy(context.Background(), r, ada)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// refused fails unless err is a refusal of that field that says so.
func refused(t testing.TB, err error, field, says string) {
	t.Helper()
	var r *billing.Refusal
	if !errors.As(err, &r) || r.Field != field || !strings.Contains(r.Message, says) {
		t.Errorf("%v, want a refusal of %s: %s", err, field, says)
	}
}

func TestD5ShippedPoliciesAreStored(t *testing.T) {
	w := newWorld(t)
	all, err := w.Policies(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	files := dunning.ShippedFiles()
	if len(all) != len(files) {
		t.Fatalf("%d policies are stored, %d are shipped", len(all), len(files))
	}
	for i, p := range all {
		if p.Document != files[i].Document || !p.Same(files[i].Policy) || p.AddedBy != "recoup" {
			t.Errorf("%+v is not %s", p, files[i].File)
		}
	}
	_, err = w.FindPolicy(context.Background(), "gentle", 0)
	refused(t, err, "policy", `there is no policy "gentle"; there are demo version 1; fast version 1; standard version 1`)
	_, err = w.FindPolicy(context.Background(), "fast", 7)
	refused(t, err, "policy", `there is no policy "fast" version 7`)
}

// TestD5AVersionIsNeverChanged: not by a person, not by a statement, and not by a release, which says what differs instead.
func TestD5AVersionIsNeverChanged(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	for _, sql := range []string{`update policies set document = document || ' '`, `delete from policies`, `truncate policies`} {
		if _, err := w.Pool().Exec(ctx, sql); err == nil {
			t.Errorf("%s went through", sql)
		}
	}
	url := w.Pool().Config().ConnString()
	if _, err := store.Migrate(ctx, url); err != nil {
		t.Errorf("again: %v", err)
	}
	w.exec(`set session_replication_role = replica; update policies set document = '# ours' || chr(10) || document where name = 'fast';
		set session_replication_role = default`)
	if _, err := store.Migrate(ctx, url); err != nil {
		t.Errorf("another comment is another policy: %v", err)
	}
	w.exec(`set session_replication_role = replica; update policies set document = replace(document, 'suspend: 30', 'suspend: 31') where name = 'standard';
		set session_replication_role = default`)
	_, err := store.Migrate(ctx, url)
	if err == nil || !strings.Contains(err.Error(), "policies/standard.yaml of this release is not the standard version 1 in the database") ||
		!strings.Contains(err.Error(), "suspend on day 30 instead of day 31: 1 day earlier") {
		t.Errorf("got %v", err)
	}
}

func TestAddPolicy(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	second := version(t, "standard", 2, "suspend: 30", "suspend: 40")
	p := w.addPolicy(second)
	if p.Version != 2 || p.Suspend != 40 {
		t.Errorf("added %+v", p)
	}
	if _, fresh, err := w.AddPolicy(ctx, append([]byte("# the same\n"), second...), ada); err != nil || fresh {
		t.Errorf("the same again: fresh %v, %v", fresh, err)
	}
	_, _, err := w.AddPolicy(ctx, version(t, "standard", 2), ada)
	refused(t, err, "version", "standard version 2 is there already and is never changed (suspend on day 30 instead of day 40: 10 days earlier); the next version is 3")
	_, _, err = w.AddPolicy(ctx, version(t, "standard", 5), ada)
	refused(t, err, "version", "5 leaves a gap: the next version of standard is 3")
	_, _, err = w.AddPolicy(ctx, version(t, "gentle", 2), ada)
	refused(t, err, "version", "the next version of gentle is 1")
	_, _, err = w.AddPolicy(ctx, second, store.Order{Actor: "ada", RequestID: "r"})
	refused(t, err, "reason", "is missing")
	var problems dunning.PolicyProblems
	if _, _, err = w.AddPolicy(ctx, []byte("name: x"), ada); !errors.As(err, &problems) || len(problems) < 3 {
		t.Errorf("got %v", err)
	}
	if n := scan[int](w, `select count(*)::int from audit_log where act = 'policy_added' and actor = 'ada' and reason = 'as agreed' and after->>'version' = '2'`); n != 1 {
		t.Errorf("%d entries in the audit log, want 1", n)
	}
	if newest, err := w.FindPolicy(ctx, "standard", 0); err != nil || newest.Version != 2 || newest.Document != string(second) {
		t.Errorf("newest is %+v, %v", newest, err)
	}
}

// TestACaseKeepsTheVersionItWasOpenedWith: a new version is for cases opened after it; live ones go on by theirs.
func TestACaseKeepsTheVersionItWasOpenedWith(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("old", "acme", 4900)
	w.invoice("new", "acme", 4900)
	old := w.open("old")
	w.addPolicy(version(t, "standard", 2, "rounds: [0, 4,", "rounds: [0, 2,"))
	fresh := w.open("new")
	for id, want := range map[billing.CaseID]int{old: 1, fresh: 2} {
		if got := scan[int](w, `select policy_version from cases where id = $1`, id); got != want {
			t.Errorf("case %s has version %d, want %d", id, got, want)
		}
		step := w.charge(w.review(id), id, declined)
		if days := int(step.At.Sub(w.now).Hours()+3) / 24; days != map[int]int{1: 4, 2: 2}[want] {
			t.Errorf("case %s: the next round is on %s", id, step.At)
		}
	}
}

func TestRulesChooseAndExplain(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.exec(`insert into accounts (id, name, time_zone, country, plan, policy) values ('german', 'g', 'UTC', 'DE', 'gold', ''), ('own', 'o', 'UTC', 'DE', '', 'fast'),
		('other', 'x', 'UTC', '', '', '')`)
	w.addPolicy(version(t, "gentle", 1))
	w.addPolicy(version(t, "special", 1))
	segment := w.assign(dunning.Assignment{Priority: 20, Country: "DE", Policy: "gentle"})
	for _, a := range []string{"german", "own", "other"} {
		w.invoice("inv-"+a, a, 4900)
	}
	explain := func(invoice, policy, because string) {
		t.Helper()
		e, err := w.ExplainPolicy(ctx, billing.InvoiceID(invoice))
		if err != nil || e.Now.Policy != policy || !strings.Contains(e.Now.Because, because) {
			t.Errorf("%s would follow %+v, %v; want %s because %s", invoice, e.Now, err, policy, because)
		}
		if c, err := w.OpenCase(ctx, billing.InvoiceID(invoice)); err != nil || c.Policy != policy {
			t.Errorf("%s follows %s, %v", invoice, c.Policy, err)
		}
		e, err = w.ExplainPolicy(ctx, billing.InvoiceID(invoice))
		if err != nil || e.Policy != policy || e.Version != 1 || !strings.Contains(e.Because, because) {
			t.Errorf("%s follows %s %d because %q, %v", invoice, e.Policy, e.Version, e.Because, err)
		}
	}
	explain("inv-german", "gentle", "country DE (priority 20)")
	explain("inv-own", "fast", "imported with it")
	explain("inv-other", "standard", "no rule")

	w.assign(dunning.Assignment{Account: "other", Policy: "special"})
	first := w.assign(dunning.Assignment{Account: "german", Policy: "fast"})
	w.assign(dunning.Assignment{Account: "german", Policy: "special", Version: 1}) // takes the place of the one before
	w.invoice("inv-more", "german", 4900)
	explain("inv-more", "special", "account german")
	if ended := scan[string](w, `select ended_by || ' ' || ended_why from policy_assignments where id = $1`, first.ID); ended != "ada as agreed" {
		t.Errorf("the first rule ended by %s", ended)
	}
	e, err := w.ExplainPolicy(ctx, "inv-german")
	if err != nil || e.Policy != "gentle" || e.Now.Policy != "special" {
		t.Errorf("the live case follows %s, a new one would %s, %v", e.Policy, e.Now.Policy, err)
	}
	if ended, err := w.EndAssignment(ctx, segment.ID, ada); err != nil || !ended {
		t.Errorf("ended %v, %v", ended, err)
	}
	if ended, err := w.EndAssignment(ctx, segment.ID, ada); err != nil || ended {
		t.Errorf("ended twice: %v, %v", ended, err)
	}
	if rules, err := w.Assignments(ctx); err != nil || len(rules) != 2 {
		t.Errorf("in force: %+v, %v", rules, err)
	}
}

func TestAssignPolicyRefusesWhatCannotBe(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme")
	_, _, err := w.AssignPolicy(ctx, dunning.Assignment{Account: "acme", Policy: "gentle"}, ada)
	refused(t, err, "policy", "there is no policy")
	_, _, err = w.AssignPolicy(ctx, dunning.Assignment{Account: "acme", Policy: "fast", Version: 2}, ada)
	refused(t, err, "policy", `there is no policy "fast" version 2`)
	_, _, err = w.AssignPolicy(ctx, dunning.Assignment{Account: "nobody", Policy: "fast"}, ada)
	refused(t, err, "account", "there is no account nobody")
	rule := w.assign(dunning.Assignment{Priority: 5, Plan: "gold", Policy: "fast"})
	if again, fresh, err := w.AssignPolicy(ctx, dunning.Assignment{Priority: 5, Plan: "gold", Policy: "fast"}, ada); err != nil || fresh || again.ID != rule.ID {
		t.Errorf("the same again: %+v, fresh %v, %v", again, fresh, err)
	}
	_, _, err = w.AssignPolicy(ctx, dunning.Assignment{Priority: 5, Country: "DE", Policy: "fast"}, ada)
	refused(t, err, "priority", "5 is taken by rule 1 (plan gold (priority 5) → fast)")
	_, err = w.EndAssignment(ctx, 99, ada)
	refused(t, err, "rule", "there is no rule 99")
}

// TestOneRulePerPriorityWhoeverIsFaster: of many who take a priority at once one gets it, and of many who add a version one does.
func TestOneRulePerPriorityWhoeverIsFaster(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	rules, versions := 0, 0
	for i := range 8 {
		wg.Go(func() {
			_, fresh, err := w.AssignPolicy(context.Background(), dunning.Assignment{Priority: 5, Plan: fmt.Sprint("plan-", i), Policy: "fast"}, ada)
			_, added, addErr := w.AddPolicy(context.Background(), version(t, "race", 1, "suspend: 30", fmt.Sprint("suspend: ", 40+i)), ada)
			mu.Lock()
			defer mu.Unlock()
			if fresh && err == nil {
				rules++
			}
			if added && addErr == nil {
				versions++
			}
		})
	}
	wg.Wait()
	if rules != 1 || versions != 1 {
		t.Errorf("%d rules took the priority and %d versions the number, want one of each", rules, versions)
	}
}

func TestImportKeepsPlansAndKnowsPolicies(t *testing.T) {
	w := newWorld(t)
	account := func(id, plan, policy string) billing.BatchAccount {
		return billing.BatchAccount{Line: 3, Account: billing.Account{ID: billing.AccountID(id), Name: id, TimeZone: "UTC", Locale: "en-US", Plan: plan, Policy: policy,
			Standing: billing.StandingActive}}
	}
	w.batch("accounts", billing.Batch{Accounts: []billing.BatchAccount{account("a", "gold", "fast"), account("b", "", "")}})
	if got := scan[string](w, `select string_agg(id || '/' || plan || '/' || policy, ' ' order by id) from accounts`); got != "a/gold/fast b//" {
		t.Errorf("stored %s", got)
	}
	for want, a := range map[string]billing.BatchAccount{
		`there is no policy "gentle"; there are demo`: account("c", "", "gentle"),
		"plan": account("a", "silver", "fast"),
	} {
		_, err := w.Import(context.Background(), store.ImportInput{File: "f", Format: "test", Digest: [32]byte{9}, Batch: billing.Batch{Accounts: []billing.BatchAccount{a}}})
		var problems *billing.BatchProblems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
