package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"recoup/money"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

type pageTemplate = template.Template

// view is what the layout needs around a page's content.
type view struct {
	Title   string
	Nav     string // which entry of the navigation is current: "", cases, accounts, policies, notices
	Summary string // said to screen readers when a live update changes it
	Watch   string // id of the one case whose changes matter; "" when all do
	Content any

	// Filled in by render.
	Live        bool
	Now         time.Time
	Style, Code string
	Who         string // who is signed in; "" on an open console
	SignOut     string // the token of the form that ends the session; "" when there is none
}

var pageNames = []string{"overview.html", "cases.html", "case.html", "accounts.html", "account.html", "policies.html", "policy.html", "notices.html",
	"notice.html", "batches.html", "batch.html", "signed_out.html", "signed_in.html", "task.html", "audit_log.html", "error.html"}

// parsePages reads the layout and the parts once per page.
func (c *console) parsePages() map[string]*pageTemplate {
	base := template.Must(template.New("layout.html").Funcs(c.functions()).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/method_forms.html"))
	pages := map[string]*pageTemplate{}
	for _, name := range pageNames {
		page := template.Must(base.Clone())
		pages[name] = template.Must(page.ParseFS(templateFiles, "templates/"+name))
	}
	c.parseOwnPages(pages)
	return pages
}

func (c *console) functions() template.FuncMap {
	return template.FuncMap{
		"money":    c.money,
		"when":     func(at time.Time, zone string) moment { return c.moment(at, zone, false) },
		"exactly":  func(at time.Time, zone string) moment { return c.moment(at, zone, true) },
		"day":      dayOf,
		"casePath": casePath,
		"words":    sentence,
		"methodOf": methodLine,
		"add":      func(a, b int) int { return a + b },
	}
}

// money shows an amount with its currency, for people (M1).
func (c *console) money(a money.Amount) string { return formatMoney(a, c.Locale) }

// render writes a page, or an error when the template fails: never half a page.
func (c *console) render(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Live, v.Now, v.Style, v.Code = c.Live != nil, c.Now(), assetPaths["console.css"], assetPaths["console.js"]
	if p := principalOf(r.Context()); p != nil {
		v.Who = p.Name
		if strings.HasPrefix(p.ID, "session ") {
			v.SignOut = c.formToken(w, r)
		}
	}
	var page bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&page, "layout.html", v); err != nil {
		c.Log.Error("console template failed", "page", name, "path", loggedPath(r), "error", err)
		http.Error(w, "Something went wrong. The console's log says more.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// assetPaths are the addresses of our few files, with a fingerprint so that browsers may keep them.
var assetPaths, assetContents = readAssets()

func readAssets() (paths map[string]string, contents map[string][]byte) {
	paths, contents = map[string]string{}, map[string][]byte{}
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		panic(err) // the files are part of the binary
	}
	for _, e := range entries {
		content, err := assetFiles.ReadFile(path.Join("assets", e.Name()))
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		p := "/assets/" + hex.EncodeToString(sum[:6]) + "/" + e.Name()
		paths[e.Name()], contents[p] = p, content
	}
	return paths, contents
}

var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func (c *console) addAssets(mux *http.ServeMux) {
	serve := func(w http.ResponseWriter, r *http.Request, name string, content []byte, keep string) {
		w.Header().Set("Cache-Control", keep)
		w.Header().Set("Content-Type", assetKinds[path.Ext(name)])
		http.ServeContent(w, r, "", c.start, bytes.NewReader(content))
	}
	mux.HandleFunc("GET /assets/{print}/{name}", func(w http.ResponseWriter, r *http.Request) {
		content, ok := assetContents[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		serve(w, r, r.PathValue("name"), content, "public, max-age=31536000, immutable")
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		serve(w, r, "icon.svg", assetContents[assetPaths["icon.svg"]], "public, max-age=86400")
	})
}
