package mailbox

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	pageSize    = 100
	maxPageSize = 1000
)

//go:embed pages
var pageFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"links": linkify,
	"clock": func(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05") },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
}).ParseFS(pageFiles, "pages/*.html"))

func newHandler(box *box) http.Handler {
	p := &pages{box: box}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.list)
	mux.HandleFunc("GET /messages/{id}", p.mail)
	mux.HandleFunc("GET /messages/{id}/html", p.html)
	mux.HandleFunc("GET /messages/{id}/raw", p.raw)
	mux.HandleFunc("GET /api/messages", p.apiList)
	mux.HandleFunc("GET /api/messages/{id}", p.apiMail)
	mux.Handle("GET /pages/", http.FileServerFS(pageFiles))
	return mux
}

type pages struct{ box *box }

// list shows the mails, newest first. `?to=` filters, `?before=` turns the page.
func (p *pages) list(w http.ResponseWriter, r *http.Request) {
	q, ok := readQuery(w, r)
	if !ok {
		return
	}
	mails, total := p.box.list(q)
	view := struct {
		To     string
		Total  int
		Newest int
		First  bool // the page with the newest mails, which refreshes itself
		Older  string
		Mails  []Summary
	}{To: q.to, Total: total, First: q.before == 0, Mails: mails}
	if len(mails) > 0 {
		view.Newest = mails[0].ID
	}
	if len(mails) == q.limit {
		view.Older = "/?" + url.Values{"to": {q.to}, "before": {strconv.Itoa(mails[len(mails)-1].ID)}}.Encode()
	}
	render(w, "list.html", view)
}

func (p *pages) mail(w http.ResponseWriter, r *http.Request) {
	if m, ok := p.find(w, r); ok {
		render(w, "mail.html", m)
	}
}

var headTag = regexp.MustCompile(`(?i)<head[^>]*>`)

// html serves the HTML part alone, for a frame that may run nothing and load
// nothing from elsewhere. Its links open in a tab of their own.
func (p *pages) html(w http.ResponseWriter, r *http.Request) {
	m, ok := p.find(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:")
	const base = `<base target="_blank">`
	if at := headTag.FindStringIndex(m.HTML); at != nil {
		io.WriteString(w, m.HTML[:at[1]]+base+m.HTML[at[1]:])
		return
	}
	io.WriteString(w, base+m.HTML)
}

func (p *pages) raw(w http.ResponseWriter, r *http.Request) {
	raw, err := p.box.raw(idIn(r))
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(raw)
}

// apiList answers `{"messages": […newest first], "total": n}`. Besides `to`
// and `before` it takes `after` (only newer ones) and `limit`.
func (p *pages) apiList(w http.ResponseWriter, r *http.Request) {
	q, ok := readQuery(w, r)
	if !ok {
		return
	}
	mails, total := p.box.list(q)
	writeJSON(w, struct {
		Messages []Summary `json:"messages"`
		Total    int       `json:"total"`
	}{mails, total})
}

func (p *pages) apiMail(w http.ResponseWriter, r *http.Request) {
	if m, ok := p.find(w, r); ok {
		writeJSON(w, m)
	}
}

func (p *pages) find(w http.ResponseWriter, r *http.Request) (Mail, bool) {
	m, err := p.box.read(idIn(r))
	if err != nil {
		fail(w, err)
	}
	return m, err == nil
}

func idIn(r *http.Request) int {
	id, _ := strconv.Atoi(r.PathValue("id")) // 0 is never a mail
	return id
}

func readQuery(w http.ResponseWriter, r *http.Request) (query, bool) {
	q := query{to: r.FormValue("to"), limit: pageSize}
	for name, field := range map[string]*int{"before": &q.before, "after": &q.after, "limit": &q.limit} {
		value := r.FormValue(name)
		if value == "" {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			http.Error(w, name+" must be a number, not "+strconv.Quote(value), http.StatusBadRequest)
			return query{}, false
		}
		*field = n
	}
	q.limit = min(max(q.limit, 1), maxPageSize)
	return q, true
}

func fail(w http.ResponseWriter, err error) {
	if errors.Is(err, errNoMail) {
		http.Error(w, err.Error()+"; only the newest are kept", http.StatusNotFound)
		return
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func render(w http.ResponseWriter, name string, view any) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'self'")
	w.Write(page.Bytes())
}

var webLink = regexp.MustCompile(`https?://[^\s<>"]*[^\s<>".,;:!?)\]]`)

// linkify makes the web addresses in a text clickable and escapes the rest.
func linkify(text string) template.HTML {
	var out strings.Builder
	last := 0
	for _, at := range webLink.FindAllStringIndex(text, -1) {
		link := html.EscapeString(text[at[0]:at[1]])
		out.WriteString(html.EscapeString(text[last:at[0]]))
		out.WriteString(`<a href="` + link + `" target="_blank" rel="noopener">` + link + `</a>`)
		last = at[1]
	}
	out.WriteString(html.EscapeString(text[last:]))
	return template.HTML(out.String())
}
