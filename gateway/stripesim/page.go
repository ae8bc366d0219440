package stripesim

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageRoutes serve the page for people at / and the customer's authentication page.
func (s *Simulator) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.frontPage)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.pool.Ping(r.Context()); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /sim/authenticate/{id}", s.authenticatePage)
	mux.HandleFunc("POST /sim/authenticate/{id}", s.authenticateAnswer)
}

type tokenLine struct{ Token, Note string }

// tokenLines lists every test method: documented ones, our families, the faults.
func tokenLines() (documentedOnes, ownOnes, faultOnes []tokenLine) {
	for token, b := range documented {
		documentedOnes = append(documentedOnes, tokenLine{token, b.Note})
	}
	for _, f := range ownTokens {
		ownOnes = append(ownOnes, tokenLine{"pm_sim_" + f.name, f.note})
	}
	for f, note := range faultNotes {
		if !strings.HasPrefix(string(f), "webhook_") && f != LookupMiss {
			faultOnes = append(faultOnes, tokenLine{"pm_sim_" + string(f), note})
		}
	}
	for _, lines := range [][]tokenLine{documentedOnes, faultOnes} {
		slices.SortFunc(lines, func(a, b tokenLine) int { return strings.Compare(a.Token, b.Token) })
	}
	return documentedOnes, ownOnes, faultOnes
}

type chargeLine struct {
	ID, Currency, Status, Token, Invoice string
	Amount                               int64
	Created                              time.Time
}

func (s *Simulator) frontPage(w http.ResponseWriter, r *http.Request) {
	charges, err := many[chargeLine](r.Context(), s.pool, `
		select id, upper(currency) currency, `+bookedStatus+` status, (select token from stripesim.payment_methods m where m.id = payment_method) token,
		       coalesce(metadata->>'recoup_invoice', '') invoice, amount, created
		from stripesim.charges order by seq desc limit 30`)
	if err != nil {
		s.fail(w, "page", err)
		return
	}
	d, o, f := tokenLines()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pageTemplate.ExecuteTemplate(w, "front", map[string]any{"Charges": charges, "Documented": d, "Own": o, "Faults": f}); err != nil {
		s.log.Error("gateway simulator: page", "err", err)
	}
}

func (s *Simulator) authenticatePage(w http.ResponseWriter, r *http.Request) {
	i, err := one[intent](r.Context(), s.pool, "payment_intent", r.PathValue("id"), `select * from stripesim.payment_intents where id = $1`, r.PathValue("id"))
	if err != nil {
		s.fail(w, "page", err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	facts := map[string]any{"ID": i.ID, "Amount": i.Amount, "Currency": strings.ToUpper(i.Currency), "Waiting": i.Status == "requires_action", "Status": i.Status}
	if err := pageTemplate.ExecuteTemplate(w, "authenticate", facts); err != nil {
		s.log.Error("gateway simulator: page", "err", err)
	}
}

func (s *Simulator) authenticateAnswer(w http.ResponseWriter, r *http.Request) {
	err := s.inTx(r.Context(), func(tx pgx.Tx) error {
		i, err := s.lockIntent(r.Context(), tx, r.PathValue("id"))
		if err != nil {
			return err
		}
		return s.customerActs(r.Context(), tx, &i, r.FormValue("answer") == "approve")
	})
	if err != nil {
		s.fail(w, "page", err)
		return
	}
	s.nudge()
	http.Redirect(w, r, "/sim/authenticate/"+url.PathEscape(r.PathValue("id")), http.StatusSeeOther)
}
