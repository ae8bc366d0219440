// Package recoup_test holds the tests of the house itself: the import walls of ARCHITECTURE.md, and that its documents stay true.
package recoup_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list` says of one package.
type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// graph is every package that the module's packages link, by import path.
type graph map[string]pkg

// wall is one rule about who may import whom. broken returns each breach, in words.
type wall struct {
	name   string
	why    string
	broken func(g graph) []string
}

// floors says for every room of the module which other rooms it may import itself. What a room imports in turn is the business of that
// room's own line: workflows reach the types of store through activities, and may.
var floors = map[string][]string{
	"boundary":               {}, // the points at which crash tests let a process die: nothing at all in the shipped binary
	"serving":                {},
	"money":                  {},
	"billing":                {"money"},
	"dunning":                {"billing", "money"},
	"access":                 {"billing"},
	"gateway":                {"billing", "money"},
	"gateway/stripe":         {"gateway", "billing", "money"},
	"gateway/conformance":    {"gateway", "billing", "money"},
	"gateway/stripesim":      {}, // a stand-in for Stripe knows no more of us than Stripe does
	"notify":                 {"boundary", "billing", "dunning", "money"},
	"store":                  {"boundary", "access", "billing", "dunning", "money"},
	"store/privatepg":        {},
	"intake":                 {"billing", "dunning", "money"},
	"activities":             {"boundary", "store", "gateway", "notify", "billing", "dunning", "money"},
	"workflows":              {"boundary", "activities", "billing", "dunning", "money"},
	"starter":                {"boundary", "workflows", "activities", "store", "billing", "dunning", "money"},
	"workers":                {"boundary", "workflows", "activities", "starter", "store", "gateway", "gateway/stripe", "notify", "audit", "billing", "dunning", "money", "serving"},
	"workers/metrics":        {"serving"},
	"console":                {"access", "starter", "workflows", "activities", "store", "gateway", "notify", "billing", "dunning", "money", "serving"},
	"audit":                  {"store", "gateway", "billing", "dunning", "money"},
	"audit/model":            {"billing", "dunning", "money"}, // says what the rules want: it shares nothing with what it judges
	"cmd":                    {"*"},
	"canaries":               {}, // runs the go command and reads what it says
	"examples":               {"billing", "dunning", "money", "intake"},
	"store/privatepg/pgtest": {"store/privatepg"},
}

// walls are all rules, each with its reason.
func walls() []wall {
	return []wall{
		{"floors", "a room may import only from rooms below it (ARCHITECTURE.md, floors)", func(g graph) []string {
			return eachOwn(g, func(room, path string, p pkg) []string {
				allowed, known := floors[room]
				if !known {
					return []string{path + " is in no known room: add it to floors and to ARCHITECTURE.md"}
				}
				return imports(path, p, func(to string) bool {
					return isOwn(to) && roomOf(to) != room && !slices.Contains(allowed, roomOf(to)) && !slices.Contains(allowed, "*")
				})
			})
		}},
		{"pure floors", "money, billing and dunning are pure: standard library and x/text only, dunning also YAML for its policies; no I/O",
			func(g graph) []string {
				return eachOwn(g, func(room, path string, p pkg) []string {
					if room != "money" && room != "billing" && room != "dunning" {
						return nil
					}
					return imports(path, p, func(to string) bool {
						yaml := room == "dunning" && under(to, "github.com/goccy/go-yaml")
						pure := isOwn(to) || g[to].Standard && !doesIO(to) || under(to, "golang.org/x/text") || yaml
						return !pure
					})
				})
			}},
		{"no SQL, HTTP or SMTP in workflows", "a workflow is replayed: it only holds timers, order and visibility; facts are activities",
			direct("workflows", "database/sql", "net", "os", "github.com/jackc", "github.com/wneessen/go-mail", "github.com/stripe")},
		{"no SQL, HTTP or SMTP in activities", "an activity is one business fact; how it is kept, charged or mailed is behind its interfaces",
			direct("activities", "database/sql", "net", "github.com/jackc", "github.com/wneessen/go-mail", "github.com/stripe")},
		{"no Temporal below activities", "Postgres decides, Temporal drives: store, gateway, notify and what is below work without it",
			func(g graph) []string {
				var all []string
				for _, room := range []string{"money", "billing", "dunning", "gateway", "gateway/stripe", "gateway/stripesim", "notify", "store", "intake"} {
					all = append(all, reaches(g, "recoup/"+room, "go.temporal.io")...)
				}
				return all
			}},
		{"no Temporal server in the binary", "the embedded server brings 200 modules and a 200 MB link; it lives in the nested module devstack",
			func(g graph) []string {
				all := reaches(g, "recoup/cmd/recoup", "go.temporal.io/server")
				return append(all, reaches(g, "recoup/cmd/recoup", "recoup/devstack")...)
			}},
		{"no private Postgres in the binary", "production brings its own Postgres; starting one is for tests and the dev stack", func(g graph) []string {
			return append(reaches(g, "recoup/cmd/recoup", "recoup/store/privatepg"), reaches(g, "recoup/cmd/recoup", "github.com/fergusstrange")...)
		}},
	}
}

// doesIO names what is not pure of the standard library. time is allowed for its types; the linter forbids time.Now there.
func doesIO(path string) bool {
	for _, p := range []string{"os", "net", "database", "log", "syscall", "plugin", "runtime", "testing", "math/rand", "crypto/rand", "unsafe"} {
		if under(path, p) {
			return true
		}
	}
	return false
}

func direct(room string, forbidden ...string) func(graph) []string {
	return func(g graph) []string {
		return eachOwn(g, func(r, path string, p pkg) []string {
			if r != room {
				return nil
			}
			return imports(path, p, func(to string) bool {
				return slices.ContainsFunc(forbidden, func(f string) bool { return under(to, f) })
			})
		})
	}
}

// imports lists the imports of a package that are bad.
func imports(path string, p pkg, bad func(to string) bool) []string {
	var all []string
	for _, to := range p.Imports {
		if bad(to) {
			all = append(all, path+" imports "+to)
		}
	}
	return all
}

// reaches returns the shortest chain of imports from a package to one under target, or nothing.
func reaches(g graph, from, target string) []string {
	came := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at != from && under(at, target) {
			chain := at
			for at = came[at]; at != ""; at = came[at] {
				chain = at + " imports " + chain
			}
			return []string{chain}
		}
		for _, to := range g[at].Imports {
			if _, seen := came[to]; !seen {
				came[to] = at
				queue = append(queue, to)
			}
		}
	}
	return nil
}

// eachOwn runs f over the module's own packages, in order.
func eachOwn(g graph, f func(room, path string, p pkg) []string) []string {
	var paths, all []string
	for path := range g {
		if isOwn(path) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		all = append(all, f(roomOf(path), path, g[path])...)
	}
	return all
}

func isOwn(path string) bool { return strings.HasPrefix(path, "recoup/") }

func under(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

// roomOf returns the longest room of floors that a package lies in, or its top folder.
func roomOf(path string) string {
	inside := strings.TrimPrefix(path, "recoup/")
	room, _, _ := strings.Cut(inside, "/")
	for r := range floors {
		if under(inside, r) && len(r) > len(room) {
			room = r
		}
	}
	return room
}

// TestImportWalls holds the code against every wall.
func TestImportWalls(t *testing.T) {
	g := listPackages(t)
	for _, room := range []string{"money", "billing", "dunning", "store", "gateway/stripe", "notify", "activities", "workflows", "cmd/recoup"} {
		if _, ok := g["recoup/"+room]; !ok {
			t.Errorf("go list did not report recoup/%s: the walls would guard nothing", room)
		}
	}
	for _, w := range walls() {
		for _, breach := range w.broken(g) {
			t.Errorf("wall %q: %s\n\twhy: %s", w.name, breach, w.why)
		}
	}
}

// TestEveryWallCanFail breaks each wall in an otherwise sound house.
func TestEveryWallCanFail(t *testing.T) {
	sound := graph{
		"fmt": {Standard: true}, "net/http": {Standard: true}, "os": {Standard: true}, "golang.org/x/text/currency": {},
		"github.com/goccy/go-yaml": {}, "github.com/jackc/pgx/v5": {}, "github.com/wneessen/go-mail": {}, "helper/lib": {Imports: []string{"go.temporal.io/sdk/client"}},
		"go.temporal.io/sdk/client": {}, "go.temporal.io/server/temporal": {},
		"recoup/money":      {Imports: []string{"fmt", "golang.org/x/text/currency"}},
		"recoup/billing":    {Imports: []string{"recoup/money"}},
		"recoup/dunning":    {Imports: []string{"recoup/billing", "github.com/goccy/go-yaml"}},
		"recoup/gateway":    {Imports: []string{"recoup/billing"}},
		"recoup/notify":     {Imports: []string{"recoup/billing", "net/http", "github.com/wneessen/go-mail"}},
		"recoup/store":      {Imports: []string{"recoup/dunning", "github.com/jackc/pgx/v5"}},
		"recoup/activities": {Imports: []string{"recoup/store", "recoup/gateway"}},
		"recoup/workflows":  {Imports: []string{"recoup/activities", "go.temporal.io/sdk/client"}},
		"recoup/cmd/recoup": {Imports: []string{"recoup/workflows", "recoup/store"}},
	}
	for _, w := range walls() {
		if breaches := w.broken(sound); len(breaches) > 0 {
			t.Fatalf("the sound house breaks wall %q: %q", w.name, breaches)
		}
	}
	cases := []struct{ wall, from, to, says string }{
		{"floors", "recoup/workflows", "recoup/store", "recoup/workflows imports recoup/store"},
		{"floors", "recoup/store", "recoup/gateway", "recoup/store imports recoup/gateway"},
		{"floors", "recoup/notify", "recoup/store", "recoup/notify imports recoup/store"},
		{"floors", "recoup/gateway", "recoup/notify", "recoup/gateway imports recoup/notify"},
		{"floors", "recoup/money", "recoup/billing", "recoup/money imports recoup/billing"},
		{"floors", "recoup/attic", "fmt", "recoup/attic is in no known room"},
		{"pure floors", "recoup/money", "github.com/goccy/go-yaml", "recoup/money imports github.com/goccy/go-yaml"},
		{"pure floors", "recoup/billing", "os", "recoup/billing imports os"},
		{"pure floors", "recoup/dunning", "github.com/jackc/pgx/v5", "recoup/dunning imports github.com/jackc/pgx/v5"},
		{"no SQL, HTTP or SMTP in workflows", "recoup/workflows", "net/http", "recoup/workflows imports net/http"},
		{"no SQL, HTTP or SMTP in activities", "recoup/activities", "github.com/jackc/pgx/v5", "recoup/activities imports github.com/jackc"},
		{"no SQL, HTTP or SMTP in activities", "recoup/activities", "github.com/wneessen/go-mail", "recoup/activities imports github.com/wneessen"},
		{"no Temporal below activities", "recoup/store", "helper/lib", "recoup/store imports helper/lib imports go.temporal.io/sdk/client"},
		{"no Temporal server in the binary", "recoup/store", "go.temporal.io/server/temporal", "recoup/store imports go.temporal.io/server"},
		{"no private Postgres in the binary", "recoup/store", "recoup/store/privatepg", "recoup/store imports recoup/store/privatepg"},
	}
	caught := map[string]bool{}
	for _, c := range cases {
		g := graph{}
		for path, p := range sound {
			g[path] = p
		}
		p := g[c.from]
		p.Imports = append(slices.Clone(p.Imports), c.to)
		g[c.from] = p
		for _, w := range walls() {
			if w.name != c.wall {
				continue
			}
			if got := strings.Join(w.broken(g), "; "); !strings.Contains(got, c.says) {
				t.Errorf("wall %q, %s imports %s: got %q, want %q", c.wall, c.from, c.to, got, c.says)
			}
			caught[w.name] = true
		}
	}
	for _, w := range walls() {
		if !caught[w.name] {
			t.Errorf("no case breaks wall %q", w.name)
		}
	}
}

// listPackages asks the go command, as the build sees the packages.
func listPackages(t *testing.T) graph {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Standard", "./...")
	var stderr bytes.Buffer
	cmd.Stderr, cmd.Env = &stderr, os.Environ()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	g := graph{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return g
		}
		if err != nil {
			t.Fatal(fmt.Errorf("read go list: %w", err))
		}
		g[p.ImportPath] = p
	}
}
