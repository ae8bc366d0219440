package console_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"

	"recoup/access"
	"recoup/billing"
)

// openLink makes a link for one of the account's people and opens it as they would.
func (h *shop) openLink(b *browser, account billing.AccountID, role access.Role) {
	h.t.Helper()
	secret, err := h.CreatePortalLink(context.Background(), account, role, "Olga", "sam")
	h.must(err)
	b.do(chromedp.Navigate(h.web.URL + "/portal/" + url.PathEscape(secret)))
	b.press("main button", "#methods")
}

// press presses something that leads to another page, and waits for what that page shows.
func (b *browser) press(what, shown string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(what)), chromedp.WaitVisible(chromedp.CSS(shown)))
}

func TestACustomerPaysInABrowser(t *testing.T) {
	h := withOIDC(t)
	h.story()
	h.exec(`update payment_methods set retry_not_before = null`)
	b := newBrowser(t)
	b.size(390, 844, "light")
	h.openLink(b, "acme", access.Owner)
	b.shoot("own-account")
	b.press(`a[href="/own/invoices/inv-acme"]`, "#still-due")
	b.shoot("own-invoice")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("select[name=method]").value = "acme-pm1"`))
	b.press(`form[action$="/pay"] button`, "#done")
	b.do(chromedp.WaitVisible(chromedp.CSS("#what[data-now]")))
	b.shoot("own-paying")
	// What the worker does.
	step, err := h.Review(context.Background(), "inv-acme")
	h.must(err)
	h.charge("inv-acme", step, succeeded)
	// The page renews itself.
	b.do(chromedp.WaitVisible(chromedp.CSS("#what[data-state=paid]")))
	if text := eval[string](b, `document.querySelector("#still-due").innerText + " " + document.querySelector("#what").innerText`); text != "€0.00 Nothing more: it is paid in full" {
		t.Errorf("the page says %q", text)
	}
	if eval[bool](b, `!!document.querySelector("form[action$='/pay']")`) {
		t.Error("a paid invoice can be paid again")
	}
	b.shoot("own-paid")
	b.calm("paying")
}

func TestACustomerAsksForTimeInABrowser(t *testing.T) {
	h := withOIDC(t)
	h.story()
	b := newBrowser(t)
	b.size(1280, 900, "dark")
	h.openLink(b, "acme", access.BillingManager)
	b.do(chromedp.Navigate(h.web.URL + "/own/invoices/inv-acme"))
	b.press(`form[action$="/ask-for-time"] button`, "#done")
	b.until("what happens next", `document.querySelector("#what").innerText.includes("The time you asked for ends")`)
	if eval[bool](b, `!!document.querySelector("form[action$='/ask-for-time']")`) {
		t.Error("time can be asked for twice")
	}
	b.press(`form[action$="/pay"] button`, "#what[data-now]")
	b.calm("asking for time")
	b.shoot("own-time")
}

func TestACustomerOrdersMethodsInABrowser(t *testing.T) {
	h := withOIDC(t)
	h.story()
	b := newBrowser(t)
	b.size(390, 844, "dark")
	h.openLink(b, "brooklyn", access.Owner)
	first := `document.querySelector(".methods li p").innerText`
	if got := eval[string](b, first); got != "American Express ···8431" {
		t.Fatalf("the first is %s", got)
	}
	b.press(".methods button.raise", "#done")
	b.until("the new order", first+` === "Visa ···4242"`)
	b.shoot("own-methods")
	b.calm("ordering")
	order := ""
	h.must(h.Pool().QueryRow(context.Background(), `select string_agg(last4, ' ' order by position) from payment_methods where account_id = 'brooklyn'`).Scan(&order))
	if order != "4242 8431" {
		t.Errorf("the order is %s", order)
	}
}

// TestOwnPagesFitPhonesAndDesks: as staff's, and without JavaScript, because they have none.
func TestOwnPagesFitPhonesAndDesks(t *testing.T) {
	h := withOIDC(t)
	h.story()
	b := newBrowser(t)
	h.openLink(b, "acme", access.Owner)
	b.noScript()
	for name, path := range map[string]string{"own": "/own", "own-invoice": "/own/invoices/inv-acme", "own-error": "/own/invoices/none", "portal": "/portal/x"} {
		for _, look := range []struct {
			width, height int64
			scheme        string
		}{{390, 844, "light"}, {1280, 900, "light"}, {1280, 900, "dark"}} {
			where := fmt.Sprintf("%s-%d-%s", name, look.width, look.scheme)
			b.size(look.width, look.height, look.scheme)
			b.do(chromedp.Navigate(h.web.URL + path))
			b.shoot(where)
			if wide := eval[string](b, overflowing); wide != "" {
				t.Errorf("%s: wider than the window: %s", where, wide)
			}
			if low := eval[string](b, lowContrast); low != "" {
				t.Errorf("%s: contrast below AA: %s", where, low)
			}
			b.forget("status of 404")
			b.calm(where)
		}
	}
}
