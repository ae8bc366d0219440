package console_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func (h *shop) json(path string, into any) page {
	h.t.Helper()
	p := h.get(path)
	if err := json.Unmarshal([]byte(p.body), into); err != nil {
		h.t.Fatalf("%s: %v in %s", path, err, p.body)
	}
	return p
}

func TestAPICases(t *testing.T) {
	h := newShop(t)
	h.story()
	type list struct {
		Cases []struct {
			ID, Stage string
			Due       struct {
				Minor             int64
				Currency, Decimal string
			}
			HeldUntil   string `json:"held_until"`
			OpenAttempt string `json:"open_attempt"`
		}
		Next string
	}
	seen := map[string]bool{}
	after := ""
	for range 10 {
		var page list
		h.json("/api/cases?limit=2&after="+after, &page)
		for _, c := range page.Cases {
			seen[c.ID] = true
			switch c.ID {
			case "inv-kuwait":
				if c.Due.Minor != 75125 || c.Due.Decimal != "75.125" || c.Due.Currency != "KWD" || c.OpenAttempt != "unknown" {
					t.Errorf("%+v", c)
				}
			case "inv-brooklyn":
				if c.HeldUntil == "" {
					t.Error("a held case doesn't say so")
				}
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(seen) != 5 || seen["inv-kyoto"] {
		t.Errorf("listed %v, want the five open cases", seen)
	}
	var one struct {
		Outcome  string
		Total    struct{ Minor int64 }
		Sources  []struct{ Kind string }
		Attempts []struct {
			State  string
			Masked string
		}
		Events []struct{ Kind string }
	}
	h.json("/api/cases/inv-kyoto", &one)
	if one.Outcome != "paid" || one.Total.Minor != 128400 || len(one.Sources) != 3 || len(one.Attempts) != 1 || one.Attempts[0].Masked != "jcb ···0505" ||
		len(one.Events) == 0 || one.Events[0].Kind != "opened" {
		t.Errorf("%+v", one)
	}
	same := h.get("/api/cases/inv-kyoto/1")
	if same.body != h.get("/api/cases/inv-kyoto").body {
		t.Errorf("the first episode has two faces: %s", same.body)
	}
}

func TestAPIAccount(t *testing.T) {
	h := newShop(t)
	h.story()
	var a struct {
		Standing string
		Methods  []struct {
			Last4, Unusable string
			Position        int
		} `json:"payment_methods"`
		Deposits []struct{ Remaining struct{ Minor int64 } }
	}
	h.json("/api/accounts/acme", &a)
	if a.Standing != "active" || len(a.Methods) != 2 || a.Methods[0].Position != 1 || a.Methods[0].Unusable != "" || a.Methods[1].Unusable == "" {
		t.Errorf("%+v", a)
	}
}

func TestAPIErrorsAreProblems(t *testing.T) {
	h := newShop(t)
	for path, want := range map[string]struct {
		status int
		field  string
	}{
		"/api/cases/none":             {404, ""},
		"/api/cases/none/2":           {404, ""},
		"/api/cases/none/x":           {422, "path.episode"},
		"/api/accounts/none":          {404, ""},
		"/api/cases?limit=1000":       {422, "query.limit"},
		"/api/cases?stage=angry":      {400, "stage"},
		"/api/cases?after=AAAA":       {400, "after"},
		"/api/cases?currency=dollars": {422, "query.currency"},
	} {
		var p struct {
			Status int
			Detail string
			Errors []struct{ Location string }
		}
		got := h.json(path, &p)
		if got.status != want.status || p.Status != want.status || !strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") || p.Detail == "" {
			t.Errorf("%s: status %d, %s: %s", path, got.status, got.header.Get("Content-Type"), got.body)
		}
		if want.field != "" && (len(p.Errors) != 1 || p.Errors[0].Location != want.field) {
			t.Errorf("%s: names %+v, want %s", path, p.Errors, want.field)
		}
	}
}

func TestOpenAPIDocument(t *testing.T) {
	h := newShop(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]any
	}
	p := h.json("/openapi.json", &doc)
	if p.status != http.StatusOK || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("status %d, version %q", p.status, doc.OpenAPI)
	}
	for _, path := range []string{"/api/cases", "/api/cases/{id}", "/api/cases/{id}/{episode}", "/api/accounts/{id}", "/healthz"} {
		if doc.Paths[path] == nil {
			t.Errorf("%s is not described", path)
		}
	}
	for _, field := range []string{`"stage":`, `"attempts":`, `"decline_code":`, `"unapplied_funds":`, `"minor":`} {
		h.has(p, field)
	}
}

func TestHealth(t *testing.T) {
	h := newShop(t)
	if p := h.get("/healthz"); p.status != http.StatusOK || !strings.Contains(p.body, `"ok"`) {
		t.Errorf("status %d: %s", p.status, p.body)
	}
	h.Close()
	if p := h.get("/healthz"); p.status != http.StatusServiceUnavailable {
		t.Errorf("without a database: status %d: %s", p.status, p.body)
	}
	p := h.get("/cases")
	if p.status != http.StatusInternalServerError {
		t.Errorf("without a database: status %d", p.status)
	}
	h.has(p, "Something went wrong", "Nothing was changed")
	h.hasNot(p, "pool", "postgres")
}
