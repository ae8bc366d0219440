package main

import (
	"go/build/constraint"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = ".."

// tagged returns, by path, the build constraints of all files of the module that name a canary.
func tagged(t *testing.T) map[string]constraint.Expr {
	t.Helper()
	all := map[string]constraint.Expr{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && file != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		body, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(body), "\n")
		if !constraint.IsGoBuild(first) || !strings.Contains(first, "canary_") {
			return nil
		}
		expr, err := constraint.Parse(first)
		all[filepath.ToSlash(strings.TrimPrefix(file, root+string(filepath.Separator)))] = expr
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestEveryCanaryIsListed: a tag without a line in the manifest would never hatch, and a line without its file proves nothing.
func TestEveryCanaryIsListed(t *testing.T) {
	listed := map[string][]string{} // file to the canaries that need it
	known := map[string]bool{}
	for _, c := range canaries {
		if known[c.tag()] {
			t.Errorf("%s is listed twice", c.name)
		}
		known[c.tag()] = true
		if len(c.files) == 0 || len(c.layers) == 0 || c.rule == "" || c.bug == "" {
			t.Errorf("%s lacks its files, layers, rule or description", c.name)
		}
		for _, f := range c.files {
			listed[f] = append(listed[f], c.tag())
		}
	}
	for file, expr := range tagged(t) {
		for tag := range known {
			with := expr.Eval(func(tg string) bool { return tg == tag })
			without := expr.Eval(func(string) bool { return false })
			isTwin := strings.HasSuffix(file, "_canary.go")
			switch {
			case isTwin && without, !isTwin && !without:
				t.Fatalf("%s: an ordinary build has canaries in it, or lacks what they replace", file)
			case isTwin && with != slices.Contains(listed[file], tag):
				t.Errorf("%s is built with %s: %t, the manifest says otherwise", file, tag, with)
			}
		}
		delete(listed, file)
		for _, word := range strings.FieldsFunc(expr.String(), func(r rune) bool { return strings.ContainsRune(" !&|()", r) }) {
			if !known[word] {
				t.Errorf("%s names %s, which the manifest does not list", file, word)
			}
		}
	}
	for file := range listed {
		t.Errorf("the manifest names %s, which is no file behind a canary's tag", file)
	}
}

// TestNoCanaryInAnOrdinaryBuild asks the go command which files the shipped binary is made of.
func TestNoCanaryInAnOrdinaryBuild(t *testing.T) {
	files := func(tag string) []string {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", tag, "-f",
			`{{if not .Standard}}{{$p := .ImportPath}}{{range .GoFiles}}{{$p}}/{{.}}{{"\n"}}{{end}}{{end}}`, "./cmd/recoup")
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(strings.Fields(string(out)), func(f string) bool { return !strings.HasPrefix(f, "recoup/") })
	}
	all := files("")
	for _, f := range all {
		if strings.Contains(path.Base(f), "canary") {
			t.Errorf("%s is in an ordinary build", f)
		}
	}
	if len(all) < 100 {
		t.Errorf("%d files were listed: the check has lost its sight", len(all))
	}
	if hatched := files("canary_key_with_run_id"); !slices.Contains(hatched, "recoup/gateway/stripe/key_canary.go") || slices.Contains(hatched, "recoup/gateway/stripe/key.go") {
		t.Error("with its tag a canary does not stand in for what it replaces")
	}
}

// TestCanariesCompile builds one that shares its file and one of two files; make canaries builds all.
func TestCanariesCompile(t *testing.T) {
	for _, c := range canaries {
		if c.name != "credit_read_then_insert" && c.name != "cancelled_timer_is_fired" {
			continue
		}
		if err := compile(t.Context(), root, c); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	broken := canary{name: "none", files: []string{"nowhere/at_all_canary.go"}}
	if err := compile(t.Context(), root, broken); err == nil {
		t.Error("what does not compile is not noticed")
	}
}

// TestDocumentListsTheCanaries: docs/canaries.md holds the manifest's table (go run ./canaries -table).
func TestDocumentListsTheCanaries(t *testing.T) {
	body, err := os.ReadFile(filepath.Join(root, "docs", "canaries.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), markdown(canaries)) {
		t.Error("the table of docs/canaries.md is not the manifest's: replace it with what `go run ./canaries -table` prints")
	}
}

// TestCanariesBreakWhatIsWrittenDown: a reader finds each cited rule or fault.
func TestCanariesBreakWhatIsWrittenDown(t *testing.T) {
	var written string
	for _, doc := range []string{"rules.md", "faults.md"} {
		body, err := os.ReadFile(filepath.Join(root, "docs", doc))
		if err != nil {
			t.Fatal(err)
		}
		written += string(body)
	}
	for _, c := range canaries {
		for _, id := range strings.Split(c.rule, ", ") {
			if !strings.Contains(written, "- "+id+" ") && !strings.Contains(written, "| "+id+" |") && !strings.Contains(written, " "+id+" ") {
				t.Errorf("%s breaks %s, which neither docs/rules.md nor docs/faults.md holds", c.name, id)
			}
		}
	}
}
