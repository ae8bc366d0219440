package e2e

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// storyWait bounds the story: half a minute on an idle machine.
const storyWait = 4 * time.Minute

// TestStoryEndsAsTold: every account of the sample story ends as examples/README.md says, and the ledger, the gateway's books, the
// mailbox and the console agree about it.
func TestStoryEndsAsTold(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	s.waitForStory(t)
	s.storyIsTold(t)
	s.laterIsTold(t, false)
	s.laterOnce(t)
	s.booksEqualLedger(t)
	s.mailsAsRecorded(t, false)
	t.Run("MailsAreMasked", func(t *testing.T) { s.mailsAreMasked(t) })
	s.auditClean(t)
}

// waitForStory waits until every case of the story is finished, suspended or put off for good, and every notice about it is out.
func (s *stack) waitForStory(t *testing.T) {
	t.Helper()
	eventually(t, storyWait, "the story", func() error {
		missing, err := s.storyMissing(t)
		if err == nil && len(missing) > 0 {
			err = fmt.Errorf("%d are not there yet: %s", len(missing), strings.Join(missing, ", "))
		}
		return err
	})
}

// storyMissing lists what has not come to its end yet.
func (s *stack) storyMissing(t *testing.T) ([]string, error) {
	var missing []string
	paid, stage, putOff := map[string]bool{}, map[string]string{}, map[string]string{}
	stages, err := tryRows[struct {
		Invoice, State, Stage, PutOff string
	}](t, s,
		`select i.id, i.state, coalesce(c.stage, ''), coalesce(c.postponed_why, '') from invoices i left join cases c on c.invoice_id = i.id where i.id like 'inv-%'`)
	if err != nil {
		return nil, err
	}
	for _, r := range stages {
		paid[r.Invoice] = r.State == "paid" && r.Stage == "finished"
		if stage[r.Invoice] = r.Stage; r.Stage == "suspension_scheduled" {
			putOff[r.Invoice] = r.PutOff
		}
	}
	for _, e := range paidEndings {
		if !paid[e.invoice] {
			missing = append(missing, e.invoice)
		}
	}
	for _, e := range sharedEndings {
		for _, id := range e.invoices {
			if !paid[id] {
				missing = append(missing, id)
			}
		}
	}
	for _, e := range unpaidEndings {
		if stage[e.invoice()] != e.stage || putOff[e.invoice()] != e.putOff {
			missing = append(missing, e.account+" at "+stage[e.invoice()]+putOff[e.invoice()])
		}
	}
	for _, e := range laterEndings {
		if !paid["inv-"+e.account+"-1"] {
			missing = append(missing, e.account)
		}
	}
	waiting, err := column[string](t, s, `select account_id || '''s ' || kind from notices where state in ('queued', 'sending')
		and account_id = any($1)`, storyAccounts())
	if err != nil {
		return nil, err
	}
	return append(missing, waiting...), nil
}

func unpaidAccounts() []string {
	var names []string
	for _, e := range unpaidEndings {
		names = append(names, e.account)
	}
	for _, e := range laterEndings {
		names = append(names, e.account)
	}
	return names
}

func storyAccounts() []string { return append(paidAccounts(), unpaidAccounts()...) }

func paidAccounts() []string {
	var names []string
	for _, e := range paidEndings {
		names = append(names, e.account())
	}
	return append(names, "meridian", "monolith", "monolith-retail", "monolith-cargo")
}

// storyIsTold holds every account against its ending.
func (s *stack) storyIsTold(t *testing.T) {
	t.Helper()
	for _, e := range paidEndings {
		c := s.showCase(t, e.invoice)
		for _, wrong := range e.objections(c) {
			t.Errorf("%s %s", e.invoice, wrong)
		}
		if e.states != "" {
			if got := s.statesOf(t, c.Attempts[len(c.Attempts)-1].ID); got != e.states {
				t.Errorf("%s: the attempt went through %q, want %q", e.invoice, got, e.states)
			}
		}
	}
	for _, e := range sharedEndings {
		var credits, funds, charged int64
		for _, id := range e.invoices {
			c := s.showCase(t, id)
			if !isPaid(c) {
				t.Errorf("%s ends %s %s", id, c.Stage, c.Outcome)
			}
			credits, funds, charged = credits+c.paid(fromCredits), funds+c.paid(fromFunds), charged+c.paid(fromGateway)
		}
		if credits != e.credits || funds != e.funds || charged != e.charged {
			t.Errorf("%v are paid by credits %d, funds %d, gateway %d; want %+v", e.invoices, credits, funds, charged, e)
		}
	}
	s.ownersFirst(t)
	s.balancesLeft(t)
	s.unpaidAreSuspended(t)
	s.receiptsWentOut(t)
}

// statesOf is what an attempt went through, in order.
func (s *stack) statesOf(t *testing.T, attempt string) string {
	t.Helper()
	states, err := column[string](t, s, `select to_state from attempt_events where attempt_id = $1::uuid order by id`, attempt)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(states, " ")
}

// ownersFirst: the credit of an organisation serves its owner's invoice first (CR4); an invoice of zero has no case.
func (s *stack) ownersFirst(t *testing.T) {
	t.Helper()
	if c := s.showCase(t, "inv-monolith-1"); c.paid(fromCredits) != 30000 || len(c.Attempts) != 0 {
		t.Errorf("monolith's own invoice is paid by credits %d with %d attempts; its own credit serves it first", c.paid(fromCredits), len(c.Attempts))
	}
	if i := s.showAccount(t, "halcyon").Invoices; len(i) != 1 || i[0].State != "paid" || i[0].Case != "" {
		t.Errorf("halcyon's invoice of zero is %+v; want it paid without a case", i)
	}
}

// balancesLeft: what is left of credits and funds shows which were used first (CR1, CR2, AF1–AF3).
func (s *stack) balancesLeft(t *testing.T) {
	t.Helper()
	left := map[string]int64{
		"credit-aurora-1": 30045, "credit-aurora-2": 0, // the one that expires first went first, though it is for every service
		"credit-birkenhain-1": 3776, "credit-birkenhain-2": 0, // the same expiry: the one for fewer services went first
		"credit-sakura-1": 32613, "credit-delphi-1": 31031, "credit-juniper-1": 0, "credit-ironwood-1": 0, "credit-nimbus-1": 38000, "credit-monolith-1": 0,
		"deposit-fontaine-1": 0, "deposit-fontaine-2": 17200, "deposit-larkspur-1": 25200, "deposit-evergreen-1": 98529, "deposit-ginza-1": 51450,
		"deposit-umbra-1": 100000, // announced only
	}
	for id, want := range left {
		account := strings.Split(id, "-")[1]
		a := s.showAccount(t, account)
		got := map[string]int64{}
		for _, c := range a.Credits {
			got[c.ID] = c.Remaining.Minor
		}
		for _, d := range a.Deposits {
			got[d.ID] = d.Remaining.Minor
		}
		if left, ok := got[id]; !ok || left != want {
			t.Errorf("%s has %d left, want %d (account: %v)", id, left, want, got)
		}
	}
	// A lost card is blocked for good (D1).
	for _, m := range s.showAccount(t, "yarrow").Methods {
		if m.ID == "pm-yarrow-1" && m.State != "blocked" {
			t.Errorf("yarrow's lost card is %s", m.State)
		}
	}
}

// unpaidAreSuspended: every round failed, every notice went out once, the account is suspended, or owes too little for it (S1, S2).
func (s *stack) unpaidAreSuspended(t *testing.T) {
	t.Helper()
	for _, e := range unpaidEndings {
		c := s.showCase(t, "inv-"+e.account+"-1")
		standing := "suspended"
		if e.stage != "suspended" {
			standing = "active"
		}
		if c.Stage != e.stage || c.Due.Minor != e.due || c.paid(fromGateway) != 0 {
			t.Errorf("%s stands at %s with %d due; want %s with %d", e.account, c.Stage, c.Due.Minor, e.stage, e.due)
		}
		if got := s.showAccount(t, e.account).Standing; got != standing {
			t.Errorf("%s is %s, want %s", e.account, got, standing)
		}
		if got := s.mailKinds(t, e.account); !maps.Equal(got, e.mails) {
			t.Errorf("%s got %v, want %v", e.account, got, e.mails)
		}
	}
	if n := one[int](t, s, `select count(*) from attempts where account_id in ('saffron', 'tundra')`); n != 0 {
		t.Errorf("%d attempts for accounts without a usable method", n)
	}
}

// receiptsWentOut: whoever paid got one receipt for each invoice, and is told when it was a backup that was charged (N1, PM7).
func (s *stack) receiptsWentOut(t *testing.T) {
	t.Helper()
	for _, account := range paidAccounts() {
		receipts := 1
		if account == "larkspur" || account == "meridian" {
			receipts = 2
		}
		kinds := s.mailKinds(t, account)
		if kinds["receipt"] != receipts {
			t.Errorf("%s got %d receipts, want %d", account, kinds["receipt"], receipts)
		}
		backup := 0
		if slices.Contains([]string{"xenia", "yarrow", "acacia", "basalt", "foxglove"}, account) {
			backup = 1
		}
		if kinds["backup_charged"] != backup && account != "zephyr" {
			t.Errorf("%s got %d mails about a backup, want %d", account, kinds["backup_charged"], backup)
		}
		for _, kind := range []string{"final_notice", "suspension_scheduled", "suspended"} {
			if kinds[kind] != 0 {
				t.Errorf("%s paid and was told %s", account, kind)
			}
		}
	}
}

// mailKinds counts the mails that an account got, by kind, as the mailbox has them.
func (s *stack) mailKinds(t *testing.T, account string) map[string]int {
	t.Helper()
	mails, err := s.listMails()
	if err != nil {
		t.Fatal(err)
	}
	kindOf := map[string]string{}
	for _, r := range rows[struct{ ID, Kind string }](t, s, `select trim(both '<>' from message_id), kind from notices where account_id = $1 and channel = 'email'`, account) {
		kindOf[r.ID] = r.Kind
	}
	kinds := map[string]int{}
	for _, m := range mails {
		if kind, ok := kindOf[strings.Trim(m.MessageID, "<>")]; ok {
			kinds[kind]++
		}
	}
	return kinds
}

// laterIsTold: money arrived for one suspended account, a new card for another; both were reinstated, and told so once (AF4, PM1, S1).
// What a crash held back until it was no longer true was rightly never sent (N3).
func (s *stack) laterIsTold(t *testing.T, crashed bool) {
	t.Helper()
	for _, e := range laterEndings {
		c := s.showCase(t, "inv-"+e.account+"-1")
		if !isPaid(c) || c.paid(fromFunds) != e.funds || c.paid(fromGateway) != e.charged {
			t.Errorf("%s ends %s %s, paid %+v", e.account, c.Stage, c.Outcome, c.Sources)
		}
		if last := c.Attempts[len(c.Attempts)-1]; last.Method != e.method || (last.State == "succeeded") != (e.charged > 0) {
			t.Errorf("%s: the last attempt is %+v", e.account, last)
		}
		if a := s.showAccount(t, e.account); a.Standing != "active" || a.Generation != 2 {
			t.Errorf("%s is %s after %d changes, want active after 2", e.account, a.Standing, a.Generation)
		}
		got := s.mailKinds(t, e.account)
		if got["suspended"] == 0 && got["reinstated"] == 1 {
			got["suspended"] = 1 // reinstated so soon that the mail would not have been true any more
		}
		if crashed {
			got["payment_failed"] = e.mails["payment_failed"] // how many are true in time depends on the crashes; none twice, by the send records
		}
		if !maps.Equal(got, e.mails) {
			t.Errorf("%s got %v, want %v", e.account, got, e.mails)
		}
	}
}

// laterOnce: a person who imports what happens later once more changes nothing.
func (s *stack) laterOnce(t *testing.T) {
	t.Helper()
	if again := s.must(t, "import", projectFile(t, "examples", "story-later.jsonl")); !strings.Contains(again, "nothing changed") {
		t.Errorf("importing it again says %s", again)
	}
}

// mailsAreMasked reads every mail: it can be read whole, names the invoice, and shows no more of a method than its last four.
func (s *stack) mailsAreMasked(t *testing.T) {
	list, err := s.listMails()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 100 {
		t.Errorf("only %d mails went out", len(list))
	}
	var unread []error
	for _, summary := range list {
		m := s.openMail(t, summary.ID)
		what := fmt.Sprintf("mail %d, %q", m.ID, m.Subject)
		masked(t, what, m.Subject+"\n"+m.Text)
		masked(t, what+" (HTML)", m.HTML)
		if m.Problem != "" || m.Text == "" || m.HTML == "" {
			unread = append(unread, fmt.Errorf("%s: %d characters of text, %d of HTML %s", what, len(m.Text), len(m.HTML), m.Problem))
		}
	}
	if err := errors.Join(unread...); err != nil {
		t.Error(err)
	}
}
