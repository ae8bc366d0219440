package console_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"recoup/billing"
)

func TestPagesRenewThemselvesAndLeaveThePersonAlone(t *testing.T) {
	h := newShop(t)
	h.story()
	b := newBrowser(t)
	b.size(1280, 500, "light")
	b.do(chromedp.Navigate(h.web.URL + "/cases/inv-acme"))
	b.until("the stream", `document.getElementById("live-state").textContent === "Live"`)

	// Somebody is in the middle of a form, far down the page.
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("details[name=decide]")[2].open = true;
		document.querySelector("[name=reference]").value = "half a refe"; document.querySelector("[name=reference]").focus();
		window.mine = document.querySelector("[name=reference]"); window.scrollTo(0, 300)`))
	b.do(chromedp.Evaluate[chromedp.Void](`window.more = document.querySelector("details.more"); window.more.open = true`))
	id := billing.CaseID("inv-acme")
	step, err := h.Review(t.Context(), id)
	h.must(err)
	h.charge(id, step, succeeded)
	b.until("the page to show the payment", `document.querySelector("main h1").textContent.includes("Paid")`)
	for what, script := range map[string]string{
		"the same field has the focus":  `document.activeElement === window.mine`,
		"what was typed is still there": `window.mine.value === "half a refe"`,
		"the form is still open":        `window.mine.closest("details").open`,
		"folded out details stay so":    `window.more.isConnected && window.more.open`,
		"the page has not jumped":       `Math.abs(window.scrollY - 300) < 200`,
		"it was said aloud":             `document.getElementById("said").textContent.includes("Paid")`,
		"the timeline has the attempt":  `document.querySelector(".feed").textContent.includes("succeeded")`,
		"the title is right":            `document.title.startsWith("R-2026-0117")`,
		"nothing is there twice":        `document.querySelectorAll("main").length === 1 && document.querySelectorAll("h1").length === 1`,
	} {
		if !eval[bool](b, script) {
			t.Errorf("after a live update it is not so that %s", what)
		}
	}
	b.calm("live update")

	// A list gets its new row, in place.
	b.do(chromedp.Navigate(h.web.URL + "/cases"))
	b.until("the stream", `document.getElementById("live-state").textContent === "Live"`)
	b.do(chromedp.Evaluate[chromedp.Void](`window.kept = [...document.querySelectorAll("tr")].find(r => r.textContent.includes("KW-9"))`))
	h.invoice("inv-new", "NEW-1", "kyoto", amount("JPY 700"))
	h.open("inv-new")
	b.until("the new case", `document.querySelector("table").textContent.includes("NEW-1")`)
	if !eval[bool](b, `window.kept.isConnected && window.kept.textContent.includes("KW-9")`) {
		t.Error("rows that did not change were made anew")
	}
	b.calm("live list")
}

func TestPageRenewsAfterTheServerWasAway(t *testing.T) {
	h := newShop(t)
	h.story()
	b := newBrowser(t)
	b.do(chromedp.Navigate(h.web.URL + "/"))
	b.until("the stream", `document.getElementById("live-state").textContent === "Live"`)
	// What happened while the stream was away was told to nobody: coming back is reason enough to look.
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".feed").remove()`))
	h.web.CloseClientConnections()
	b.until("the page to renew", `document.querySelector(".feed") !== null`)
}

func TestKeyboardReachesEverythingInOrder(t *testing.T) {
	h := newShop(t)
	h.story()
	b := newBrowser(t)
	b.size(1280, 900, "light")
	b.do(chromedp.Navigate(h.web.URL + "/cases/inv-acme"))
	var order []string
	for range 14 {
		b.do(chromedp.KeyEvent(kb.Tab))
		order = append(order, eval[string](b, `(document.activeElement.textContent.trim() || document.activeElement.name || document.activeElement.id).slice(0, 40)`))
		if visible := eval[bool](b, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2; })()`); !visible {
			t.Errorf("focus on %q can't be seen", order[len(order)-1])
		}
	}
	want := []string{"Skip to content", "Recoup", "Overview", "Cases", "Accounts", "Policies", "Batches", "Notices", "q", "Cases", "Acme Maschinenbau GmbH", "standard 1", "Workflow in Temporal"}
	if got := strings.Join(order[:len(want)], "|"); got != strings.Join(want, "|") {
		t.Errorf("focus goes\n%s, want\n%s", got, strings.Join(want, "|"))
	}
	// The skip link leads past the navigation.
	b.do(chromedp.Navigate(h.web.URL+"/cases"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	if id := eval[string](b, `document.activeElement.id`); id != "main" {
		t.Errorf("the skip link leads to %q", id)
	}
}

func TestADecisionInTheBrowser(t *testing.T) {
	h := newShop(t)
	h.account("a", "A", "Europe/Berlin", "visa 4242")
	h.invoice("inv", "N-1", "a", amount("EUR 250"))
	h.open("inv")
	b := newBrowser(t)
	b.size(390, 844, "light")
	b.do(chromedp.Navigate(h.web.URL+"/cases/inv"),
		chromedp.Click(chromedp.CSS("details[name=decide]:has(input[value=paid_out_of_band]) > summary")),
		chromedp.WaitVisible(chromedp.CSS(`details[name=decide][open] [name=reference]`)),
		chromedp.SendKeys(chromedp.CSS(`details[name=decide][open] [name=reference]`), "WIRE-88"),
		chromedp.SendKeys(chromedp.CSS(`details[name=decide][open] [name=reason]`), "They called"),
		chromedp.SendKeys(chromedp.CSS(`details[name=decide][open] [name=actor]`), "Ada"))
	b.shoot("form-390-light")
	b.do(chromedp.Click(chromedp.CSS("details[name=decide][open] button")), chromedp.WaitVisible(chromedp.CSS("#done")))
	b.shoot("done-390-light")
	text := eval[string](b, `document.querySelector("main").innerText`)
	for _, want := range []string{"Recorded: paid out of band", "Paid", "€0.00", "Paid outside Recoup"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	b.calm("decision")
}

func TestPagesWorkWithoutScript(t *testing.T) {
	h := newShop(t)
	h.story()
	b := newBrowser(t)
	b.noScript()
	b.do(chromedp.Navigate(h.web.URL+"/cases"), chromedp.Click(chromedp.CSS(`a.row[href="/cases/inv-acme"]`)), chromedp.WaitVisible(chromedp.CSS(".track")))
	b.do(chromedp.Click(chromedp.CSS("details[name=decide]:has(input[value=hold]) > summary")), chromedp.WaitVisible(chromedp.CSS("details[name=decide][open] [name=until]")),
		chromedp.SendKeys(chromedp.CSS(`details[name=decide][open] [name=reason]`), "They asked"), chromedp.SendKeys(chromedp.CSS(`details[name=decide][open] [name=actor]`), "Ada"),
		chromedp.Click(chromedp.CSS("details[name=decide][open] button")), chromedp.WaitVisible(chromedp.CSS("#done")))
	h.has(h.get("/cases/inv-acme"), "Release the hold")
	b.calm("without script")
}
