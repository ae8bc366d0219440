package billing

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestR2ResolutionsAreRefusedByField(t *testing.T) {
	amount := dollars(100)
	good := Resolution{RequestID: "req-1", Kind: PaidOutOfBand, Case: "inv-1", Actor: "dana", Reason: "cheque", Amount: &amount,
		Reference: "cheque 17", ReceivedOn: "2026-11-21"}
	zero, below := dollars(0), dollars(-1)
	cases := []struct {
		field  string // "" when it is taken
		change func(*Resolution)
	}{
		{"", func(*Resolution) {}},
		{"request_id", func(r *Resolution) { r.RequestID = "" }},
		{"request_id", func(r *Resolution) { r.RequestID = "a b" }},
		{"request_id", func(r *Resolution) { r.RequestID = strings.Repeat("x", 129) }},
		{"case", func(r *Resolution) { r.Case = "" }},
		{"actor", func(r *Resolution) { r.Actor = " " }},
		{"reason", func(r *Resolution) { r.Reason = "" }},
		{"reason", func(r *Resolution) { r.Reason = strings.Repeat("x", 501) }},
		{"reason", func(r *Resolution) { r.Reason = "paid with 4242 4242 4242 4242" }},
		{"kind", func(r *Resolution) { r.Kind = "forgive" }},
		{"amount", func(r *Resolution) { r.Amount = nil }},
		{"amount", func(r *Resolution) { r.Amount = &zero }},
		{"amount", func(r *Resolution) { r.Amount = &below }},
		{"reference", func(r *Resolution) { r.Reference = "" }},
		{"received_on", func(r *Resolution) { r.ReceivedOn = "21.11.2026" }},
		{"received_on", func(r *Resolution) { r.ReceivedOn = "2026-02-30" }},
		{"until", func(r *Resolution) { r.Kind = Hold }},
		{"", func(r *Resolution) { r.Kind, r.Until, r.Scope = Hold, now, []string{"attempts", "suspension"} }},
		{"scope", func(r *Resolution) { r.Kind, r.Until, r.Scope = Hold, now, []string{"everything"} }},
		{"", func(r *Resolution) { r.Kind = RetryNow }},
		{"", func(r *Resolution) { r.Kind = Release }},
		{"until", func(r *Resolution) { r.Kind = PromiseToPay }},
		{"amount", func(r *Resolution) { r.Kind, r.Until, r.Amount = PromiseToPay, now, nil }},
		{"", func(r *Resolution) { r.Kind, r.Until, r.Override = PromiseToPay, now, true }},
		{"claim", func(r *Resolution) { r.Kind = Dispute }},
		{"claim", func(r *Resolution) { r.Kind, r.Claim = Dispute, "4242 4242 4242 4242" }},
		{"amount", func(r *Resolution) { r.Kind, r.Claim, r.Amount = Dispute, "not ordered", nil }},
		{"outcome", func(r *Resolution) { r.Kind, r.Outcome = EndDispute, "perhaps" }},
		{"", func(r *Resolution) { r.Kind, r.Outcome = EndDispute, DisputeUpheld }},
		{"until", func(r *Resolution) { r.Kind = Extend }},
		{"until", func(r *Resolution) { r.Kind = NeverSuspend }},
		{"amount", func(r *Resolution) { r.Kind, r.Amount = GrantCredit, nil }},
		{"", func(r *Resolution) { r.Kind = WriteOffInvoice }},
		{"", func(r *Resolution) { r.Kind = VoidInvoice }},
		{"reverses", func(r *Resolution) { r.Kind, r.Reverses = Reverse, "a b" }},
		{"", func(r *Resolution) { r.Kind, r.Reverses = Reverse, "req-0" }},
		{"account", func(r *Resolution) { r.Account = "acme" }},
		{"kind", func(r *Resolution) { r.Case, r.Account = "", "acme" }},
		{"", func(r *Resolution) { r.Case, r.Account, r.Kind = "", "acme", SuspendNow }},
		{"confirms", func(r *Resolution) { r.Confirms = "req-0" }}, // its fields are the proposal's
		{"confirms", func(r *Resolution) { r.Confirms, r.Amount, r.Reference = "a b", nil, "" }},
		{"request_id", func(r *Resolution) { r.Confirms, r.Amount, r.Reference = "req-1", nil, "" }},
		{"", func(r *Resolution) { r.Confirms, r.Amount, r.Reference = "req-0", nil, "" }},
	}
	for i, c := range cases {
		r := good
		c.change(&r)
		err := r.Check()
		var refusal *Refusal
		switch {
		case c.field == "" && err != nil:
			t.Errorf("case %d: %v", i, err)
		case c.field != "" && (!errors.As(err, &refusal) || refusal.Code != RefusedInvalid || refusal.Field != c.field):
			t.Errorf("case %d: %v, want a refusal of %s", i, err, c.field)
		}
	}
}

func TestNoticeFactsKnowTheirHold(t *testing.T) {
	f := NoticeFacts{Now: now, Case: NoticeCase{HeldUntil: now.Add(time.Hour), HeldScopes: []string{"notices"}}}
	if !f.Held("notices") || f.Held("attempts") {
		t.Error("a hold of notices holds the wrong thing")
	}
	f.Now = f.Case.HeldUntil
	if f.Held("notices") {
		t.Error("a hold that has ended holds")
	}
}

func TestContentHashSeesWhatWasImported(t *testing.T) {
	base := BatchInvoice{Invoice: invoiceOf(usage(1, "EC2", 100), usage(2, "S3", 50))}
	base.Invoice.Number, base.Invoice.DueDate = "2026-1", "2026-11-30"
	same := base
	same.Line, same.Invoice.State, same.Invoice.Allocated, same.Invoice.DueAt = 9, InvoicePaid, dollars(150), now
	if same.ContentHash() != base.ContentHash() {
		t.Error("what Recoup changes by itself changed the hash")
	}
	for name, change := range map[string]func(*Invoice){
		"number":      func(i *Invoice) { i.Number = "2026-2" },
		"due date":    func(i *Invoice) { i.DueDate = "2026-12-01" },
		"account":     func(i *Invoice) { i.AccountID = "other" },
		"marketplace": func(i *Invoice) { i.Marketplace = true },
		"amount":      func(i *Invoice) { i.Lines[0].Amount, i.Lines[1].Amount = dollars(101), dollars(49) },
		"service":     func(i *Invoice) { i.Lines[0].Service = "EC" },
		"two fields":  func(i *Invoice) { i.Lines[0].Service, i.Lines[0].Description = "EC", "2" },
		"period":      func(i *Invoice) { i.Lines[0].PeriodStart = day(10, 1) },
		"a line less": func(i *Invoice) { i.Lines = i.Lines[:1] },
	} {
		other := BatchInvoice{Invoice: base.Invoice}
		other.Invoice.Lines = append([]Line(nil), base.Invoice.Lines...)
		change(&other.Invoice)
		if other.ContentHash() == base.ContentHash() {
			t.Errorf("another %s has the same hash", name)
		}
	}
}

func TestBatchProblemsAreSortedAndBounded(t *testing.T) {
	var b BatchProblems
	if b.Err() != nil {
		t.Error("no problems are an error")
	}
	for line := 25; line > 0; line-- {
		b.Add(line, "invoice.due_date", "must be given")
	}
	err := b.Err() // sorts
	lines := b.Lines("story.jsonl")
	if err == nil || len(lines) != BatchProblemsMax+1 || lines[0] != "story.jsonl:6: invoice.due_date: must be given" || lines[20] != "… and 5 more" {
		t.Errorf("problems %q", lines)
	}
}

func TestI14InvoiceStates(t *testing.T) {
	all := []InvoiceState{InvoiceOpen, InvoicePaid, InvoiceVoid, InvoiceWrittenOff}
	var got []string
	for _, a := range all {
		for _, b := range all {
			if a.CanBecome(b) {
				got = append(got, string(a)+" > "+string(b))
			}
		}
	}
	want := "open > paid, open > void, open > written_off, paid > open, written_off > open"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("edges are %s, want %s", text, want)
	}
}

func TestWithheldIsAtMostWhatIsDue(t *testing.T) {
	i := Invoice{Total: dollars(4900), Allocated: dollars(4000)}
	for disputed, want := range map[int64]int64{0: 0, 500: 500, 900: 900, 2000: 900} {
		i.Disputed = dollars(disputed)
		if got, err := i.Withheld(); err != nil || got.Minor() != want {
			t.Errorf("of %d disputed %s is withheld, %v", disputed, got, err)
		}
	}
}
