package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestACustomerPaysWithANewCard: a link from the command line lets an account's own person in. They put a new card in the place of
// the one that was declined, the workflow tries it at once, and they read that it is paid.
func TestACustomerPaysWithANewCard(t *testing.T) {
	s := storyStack(t)
	id := s.open(t, "own-act", "standard", noMoney)
	link := strings.TrimSpace(s.must(t, "account", "portal-link", "own-act", "--role", "owner", "--name", "Olga"))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	look := func(address string) string {
		t.Helper()
		res, body := fetch(t, func() (*http.Response, error) { return browser.Get(address) }) //nolint:bodyclose // fetch closes it
		if res.StatusCode >= http.StatusInternalServerError {
			t.Fatalf("%s: %s", address, res.Status)
		}
		return body
	}
	send := func(address, from string, fields url.Values) string {
		t.Helper()
		fields.Set("token", hiddenField(from, "token"))
		fields.Set("request_id", "e2e-"+fields.Get("change")+address[strings.LastIndex(address, "/")+1:])
		res, body := fetch(t, func() (*http.Response, error) { return browser.PostForm(address, fields) }) //nolint:bodyclose // fetch closes it
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s: %s", address, res.Status, text(body))
		}
		return body
	}
	shown := look(link)
	body := send(link, shown, url.Values{})
	if !strings.Contains(text(body), "Account own-act") {
		t.Fatalf("the link leads to %s", text(body))
	}
	console := s.env["RECOUP_CONSOLE_URL"]
	invoice := console + "/own/invoices/" + id
	if body := look(console + "/own/invoices/inv-acme-1"); !strings.Contains(text(body), "no such thing") {
		t.Errorf("another's invoice shows %s", text(body))
	}
	send(console+"/own/methods", body, url.Values{"change": {"replace"}, "method": {"pm-own-act-1"}, "method_token": {"pm_card_visa"}, "kind": {"card"},
		"brand": {"visa"}, "last4": {"4242"}, "expiry": {"2034-01"}})
	s.endsPaidOnce(t, id, 2, actDue)
	if body := look(invoice); !strings.Contains(text(body), "paid in full") || !strings.Contains(text(body), "Visa ···4242") {
		t.Errorf("the invoice's page says %s", text(body))
	}
	// They are told, at night in the morning.
	if n := one[int](t, s, `select count(*)::int from notices where account_id = 'own-act' and kind = 'method_changed'`); n != 2 {
		t.Errorf("the change is told %d times, want once in the console and once by mail", n)
	}
}

var hidden = regexp.MustCompile(`name="([a-z_]+)" value="([^"]*)"`)

// hiddenField reads a field that a page's forms send back.
func hiddenField(page, name string) string {
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	return ""
}
