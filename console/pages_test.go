package console_test

import (
	"strings"
	"testing"
)

func TestPagesShowTheStory(t *testing.T) {
	h := newShop(t)
	h.story()
	for path, texts := range map[string][]string{
		"/":                     {"Overview", "Waiting for a person", "Collected today", "Retrying", "Outcome unknown"},
		"/cases":                {"R-2026-0117", "€1,114.56", "of €1,234.56", "Retrying", "On hold", "Outcome unknown", "KWD", "75.125"},
		"/cases/inv-kyoto":      {"Paid", "Credits", "Advance funds", "JCB ···0505", "128,400", "Nothing more"},
		"/cases/inv-lima":       {"Suspended", "Close the account", "If nothing changes"},
		"/cases/inv-acme":       {"Visa ···4242: declined", "Mastercard ···4444: declined", "insufficient_funds", "lost_card", "CET", "Customer told"},
		"/accounts":             {"Acme Maschinenbau GmbH", "Kyoto Seisakusho", "Suspended"},
		"/accounts/acme":        {"acme@example.com", "Primary", "Backup", "Blocked after a hard decline", "cr-acme", "R-2026-0117"},
		"/accounts/kyoto":       {"WIRE-dep-kyoto", "Used for inv-kyoto", "cr-kyoto"},
		"/accounts/lima":        {"Suspended", "Calls of your service"},
		"/notices":              {"We could not collect your invoice", "Unread"},
		"/cases?stage=retrying": {"R-2026-0117"},
	} {
		p := h.get(path)
		if p.status != 200 {
			t.Errorf("%s: status %d\n%s", path, p.status, mainOf(p.body))
			continue
		}
		h.has(p, texts...)
		if strings.Contains(p.body, "ZgotmplZ") {
			t.Errorf("%s: a value was refused by the template", path)
		}
	}
}
