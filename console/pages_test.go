package console_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"recoup/console"
)

func TestPagesShowTheStory(t *testing.T) {
	h := newShop(t)
	h.story()
	for path, texts := range map[string][]string{
		"/":                     {"Overview", "Waiting for a person", "Collected today", "Retrying", "Outcome unknown"},
		"/cases":                {"R-2026-0117", "€1,114.56", "of €1,234.56", "Retrying", "On hold", "Outcome unknown", "KWD", "75.125"},
		"/cases/inv-kyoto":      {"Paid", "Credits", "Advance funds", "JCB ···0505", "¥128,400", "¥122,900", "Nothing more"},
		"/cases/inv-lima":       {"Suspended", "Close the account", "If nothing changes"},
		"/cases/inv-acme":       {"Visa ···4242: declined", "Mastercard ···4444: declined", "insufficient_funds", "lost_card", "CET", "Customer told"},
		"/cases/inv-kuwait":     {"Outcome unknown", "KWD", "75.125", "None of this happens before"},
		"/cases/inv-brooklyn":   {"The hold ends", "Their bank is closed until Monday", "Grace", "Release the hold"},
		"/accounts":             {"Acme Maschinenbau GmbH", "Kyoto Seisakusho", "Suspended"},
		"/accounts/acme":        {"acme@example.com", "Primary", "Backup", "Blocked after a hard decline", "cr-acme", "R-2026-0117"},
		"/accounts/kyoto":       {"WIRE-dep-kyoto", "Used for inv-kyoto", "cr-kyoto"},
		"/accounts/lima":        {"Suspended", "Calls of your service"},
		"/notices":              {"We could not collect your invoice", "Unread"},
		"/cases?stage=retrying": {"R-2026-0117"},
		"/cases?stage=finished": {"JP-00042"},
	} {
		p := h.get(path)
		if p.status != http.StatusOK {
			t.Errorf("%s: status %d\n%s", path, p.status, mainOf(p.body))
			continue
		}
		h.has(p, texts...)
		h.hasNot(p, "ZgotmplZ", "secret_token") // a value the template refused; a gateway's token (I18)
	}
}

func TestTextsAreEscaped(t *testing.T) {
	h := newShop(t)
	h.story()
	for _, path := range []string{"/", "/cases", "/cases/inv-evil", "/accounts", "/accounts/evil", "/cases?q=%3Cscript%3E"} {
		p := h.get(path)
		h.hasNot(p, "<script>alert", "<b>E-1</b>")
	}
	h.has(h.get("/accounts/evil"), "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; Sons")
}

func TestI18AddressesOnlyOnTheAccountPage(t *testing.T) {
	h := newShop(t)
	h.story()
	for name, path := range h.everyPage() {
		found := strings.Contains(h.get(path).body, "@example.com")
		if on := strings.HasPrefix(path, "/accounts/"); found != on {
			t.Errorf("%s (%s): has an e-mail address: %t, want %t", name, path, found, on)
		}
	}
	h.hasNot(h.get("/api/accounts/acme"), "@example.com", "secret_token")
}

func TestI19AnAccountsPagesShowNoOther(t *testing.T) {
	h := newShop(t)
	h.story()
	for _, path := range []string{"/accounts/acme", "/notices?account=acme"} {
		p := h.get(path)
		h.has(p, "acme")
		h.hasNot(p, "kyoto", "lima", "brooklyn", "kuwait")
	}
}

func TestWorkflowLink(t *testing.T) {
	h := newShop(t)
	h.story()
	h.has(h.get("/cases/inv-acme"), `href="http://temporal.example/namespaces/recoup/workflows/case%2Finv-acme"`)
	none := newShop(t, func(o *console.Options) { o.TemporalUI = "" })
	none.story()
	none.hasNot(none.get("/cases/inv-acme"), "Workflow in Temporal")
}

func TestLaterEpisodeHasItsOwnPage(t *testing.T) {
	h := newShop(t)
	h.account("a", "A", "UTC", "visa 4242")
	h.invoice("inv", "N-1", "a", amount("USD 10"))
	id, _ := h.open("inv")
	h.exec(`update cases set stage = 'finished', finished_at = now(), outcome = 'paid' where id = $1`, id)
	h.exec(`insert into cases (id, invoice_id, episode, account_id, policy, policy_version, clock_started_at) values ('inv/2', 'inv', 2, 'a', 'standard', 1, now())`)
	p := h.get("/cases/inv/2")
	h.has(p, "N-1", "Collecting", `action="/cases/inv/2/resolve"`, "case%2Finv%2F2", `href="/cases/inv"`)
	h.has(h.get("/cases"), `href="/cases/inv/2"`, "episode 2")
	if p := h.get("/cases/inv/3"); p.status != http.StatusNotFound {
		t.Errorf("an episode that is not there: status %d", p.status)
	}
}

func TestFilters(t *testing.T) {
	h := newShop(t)
	h.story()
	for path, want := range map[string]string{
		"/cases?stage=suspended":              "L-77",
		"/cases?overlay=held":                 "B-1001",
		"/cases?overlay=unknown":              "KW-9",
		"/cases?overlay=suspended":            "L-77",
		"/cases?currency=EUR":                 "R-2026-0117",
		"/cases?q=jp-0":                       "JP-00042", // a number, found though finished
		"/cases?q=Gulf":                       "KW-9",     // an account's name
		"/cases?q=brooklyn&stage=retrying":    "B-1001",
		"/cases?q=INV-ACME":                   "R-2026-0117",
		"/cases?overlay=held&currency=EUR":    "",
		"/cases?q=%25":                        "", // a percent sign is only that
		"/cases?q=_":                          "",
		"/cases?stage=retrying&q=R-2026-0117": "R-2026-0117",
	} {
		var found []string
		for _, m := range regexp.MustCompile(`class="row" href="[^"]+">([^<]+)<`).FindAllStringSubmatch(h.get(path).body, -1) {
			found = append(found, m[1])
		}
		if got := strings.Join(found, " "); got != want {
			t.Errorf("%s lists %q, want %q", path, got, want)
		}
	}
}

func TestPagingListsEveryCaseOnce(t *testing.T) {
	h := newShop(t)
	h.many(23)
	seen := map[string]int{}
	path := "/cases?limit=5"
	pages := 0
	for path != "" {
		p := h.get(path)
		for _, m := range regexp.MustCompile(`class="row" href="/cases/([^"]+)"`).FindAllStringSubmatch(p.body, -1) {
			seen[m[1]]++
		}
		pages++
		path = ""
		if m := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(p.body); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if len(seen) != 23 || pages != 5 {
		t.Errorf("%d cases on %d pages, want 23 on 5", len(seen), pages)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s is listed %d times", id, times)
		}
	}
}

func TestBadRequestsSayWhatIsWrong(t *testing.T) {
	h := newShop(t)
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/nowhere":                       {404, "no such page"},
		"/cases/none":                    {404, "there is no case"},
		"/cases/..%2f..%2fetc":           {404, "no such case"},
		"/cases/inv/x":                   {404, "there is no case"},
		"/accounts/none":                 {404, "there is no account"},
		"/notices/none":                  {404, "there is no notice"},
		"/cases?stage=angry":             {400, "there is no stage"},
		"/cases?overlay=angry":           {400, "there is no overlay"},
		"/cases?currency=usd":            {400, "ISO 4217"},
		"/cases?after=AAAA":              {400, "first page"},
		"/cases?limit=0":                 {400, "from 1 to 200"},
		"/cases?limit=9999":              {400, "from 1 to 200"},
		"/accounts?standing=angry":       {400, "there is no standing"},
		"/accounts?after=a%20b":          {400, "after"},
		"/notices?account=a%20b":         {400, "account"},
		"/notices?after=AAAA":            {400, "after"},
		"/cases?q=" + "%00":              {200, "No case"},
		"/cases?q=" + long("x", 500):     {200, "No case"},
		"/accounts?q=" + long("%C3", 50): {200, "No account"},
	} {
		p := h.get(path)
		if p.status != want.status || !strings.Contains(p.body, want.text) {
			t.Errorf("%s: status %d, want %d and %q in:\n%s", path, p.status, want.status, want.text, mainOf(p.body))
		}
	}
}

func long(text string, times int) string { return strings.Repeat(text, times) }

func TestAnswersCarrySecurityHeaders(t *testing.T) {
	h := newShop(t)
	for _, path := range []string{"/", "/nowhere", "/api/cases", "/healthz"} {
		p := h.get(path)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
		} {
			if got := p.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		policy := p.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "script-src 'self'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the content policy lacks %s: %s", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the content policy allows inline code: %s", path, policy)
		}
	}
	h.hasNot(h.get("/"), " style=", "<style", "onclick=", "javascript:")
}

func TestForeignHostNamesAreRefused(t *testing.T) {
	h := newShop(t, func(o *console.Options) { o.URL = "https://recoup.example" })
	for host, want := range map[string]int{
		"evil.example": http.StatusMisdirectedRequest, "recoup.example": http.StatusOK, "localhost:8080": http.StatusOK,
		"[::1]:8080": http.StatusOK, "127.0.0.1": http.StatusOK, "localhost.evil.example": http.StatusMisdirectedRequest,
	} {
		request, err := http.NewRequest(http.MethodGet, h.web.URL+"/healthz", nil)
		h.must(err)
		request.Host = host
		answer, err := h.client().Do(request)
		h.must(err)
		if p := h.read(answer); p.status != want {
			t.Errorf("host %s: status %d, want %d", host, p.status, want)
		}
	}
}

func TestNoticesFilterAndRead(t *testing.T) {
	h := newShop(t)
	h.story()
	h.exec(`update notices set read_at = now() where account_id = 'lima' and channel = 'console'`)
	h.hasNot(h.get("/notices?unread=1"), "inv-lima")
	h.has(h.get("/notices?unread=1"), "inv-acme")
	h.has(h.get("/notices?account=lima"), "inv-lima")
	var id string
	h.must(h.Pool().QueryRow(context.Background(), `select id::text from notices where account_id = 'acme' and channel = 'console' limit 1`).Scan(&id))
	h.has(h.get("/notices/"+id), "could not be collected", "Not read by the customer yet")
	var read int
	h.must(h.Pool().QueryRow(context.Background(), `select count(*) from notices where id = $1 and read_at is not null`, id).Scan(&read))
	if read != 0 {
		t.Error("staff looking at a notice must not count as the customer reading it")
	}
	h.must(h.Pool().QueryRow(context.Background(), `select id::text from notices where account_id = 'acme' and channel = 'email' limit 1`).Scan(&id))
	if p := h.get("/notices/" + id); p.status != http.StatusNotFound {
		t.Errorf("a mail is no console notice: status %d", p.status)
	}
}

func TestOverviewCounts(t *testing.T) {
	h := newShop(t)
	h.story()
	h.account("late", "Late Ltd.", "UTC")
	h.invoice("inv-late", "LATE-1", "late", amount("USD 5"))
	h.exec(`insert into tasks (id, key, kind, account_id, case_id, invoice_id) values (gen_random_uuid(), 'k', 'risk_review', 'acme', 'inv-acme', 'inv-acme')`)
	h.exec(`insert into tasks (id, key, kind, account_id, detail) values
		(gen_random_uuid(), 'l', 'something_new', 'kyoto', '{"captured": {"minor": 700, "currency": "JPY"}, "reference": "<pi_7>"}')`)
	p := h.get("/")
	h.has(p, "Something new", "¥700", "&lt;pi_7&gt;", "LATE-1", "Risk review", "A decline points to risk", "2 open", fmt.Sprintf("%d open cases", 5), "¥128,400", "$20,489.99")
}
