package dunning

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"recoup/billing"
)

func TestN1Kinds(t *testing.T) {
	seen := map[NoticeKind]bool{}
	operators := 0
	for _, k := range NoticeKinds() {
		if seen[k] || !k.Known() {
			t.Errorf("kind %q is there twice or unknown to itself", k)
		}
		seen[k] = true
		if k.Audience() == AudienceOperator {
			operators++
		}
	}
	if len(seen) != 21 || operators != 4 {
		t.Errorf("%d kinds, %d for operators; rule N1 names 17 for customers and 4 for operators", len(seen), operators)
	}
	if k := NoticeKind("greeting"); k.Known() || k.Mergeable() || k.Mandatory() || k.Audience() != "" {
		t.Errorf("an unknown kind is known")
	}
}

func TestN4FinalAndSuspensionNoticesAreNeverMerged(t *testing.T) {
	for _, k := range []NoticeKind{NoticeFinalNotice, NoticeSuspensionScheduled, NoticeSuspended} {
		if k.Mergeable() {
			t.Errorf("%s may be merged away", k)
		}
	}
	if !NoticePaymentFailed.Mergeable() {
		t.Error("several overdue invoices must be able to make one mail")
	}
}

func TestS2SuspensionWaitsForItsNotices(t *testing.T) {
	for _, k := range NoticeKinds() {
		if want := k == NoticeFinalNotice || k == NoticeSuspensionScheduled; k.Mandatory() != want {
			t.Errorf("%s mandatory: %v, want %v", k, k.Mandatory(), want)
		}
	}
}

func TestN2KeysDifferAndRepeat(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "b", "a/b", `"`, `a"/"b`})
	key := rapid.Custom(func(t *rapid.T) NoticeKey {
		return NoticeKey{
			Account: billing.AccountID(text.Draw(t, "account")), Case: billing.CaseID(text.Draw(t, "case")),
			Kind: NoticeKind(text.Draw(t, "kind")), Occasion: text.Draw(t, "occasion"), Channel: text.Draw(t, "channel"),
			Recipient: rapid.IntRange(0, 2).Draw(t, "recipient"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		if (a == b) != (a.String() == b.String()) || (a == b) != (a.MessageID("x.test") == b.MessageID("x.test")) {
			t.Fatalf("%s and %s", a, b)
		}
	})
	id := NoticeKey{Account: "acme", Case: "case/inv-1", Kind: NoticeReceipt, Occasion: "paid", Channel: billing.ChannelEmail, Recipient: 1}.
		MessageID("recoup.test")
	if !strings.HasPrefix(id, "<") || !strings.HasSuffix(id, "@recoup.test>") || strings.Contains(id, "acme") {
		t.Errorf("Message-ID %s", id)
	}
}
