package recoup_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// topLevel are the rooms of the house and what else lies beside them. A new one is a decision: write it down in ARCHITECTURE.md.
var topLevel = []string{
	"access", "activities", "audit", "billing", "boundary", "canaries", "cmd", "console", "deploy", "devstack", "docs", "dunning", "examples", "gateway", "intake", "money", "notify", "serving",
	"starter", "store", "tools", "workers", "workflows",
}

// vague are names that say nothing about what a package owns.
var vague = []string{"util", "utils", "common", "types", "models", "helpers", "misc", "shared"}

const maxLines = 400

// long are the files that may have more than maxLines lines, each with its reason.
var long = map[string]string{}

// registryHost finds the hosts of package registries: where things are fetched from is the business of each machine's own settings.
var registryHost = regexp.MustCompile(`\b(proxy|sum|index|registry|deb|security|repo\d*|files|static|pkg)\.` +
	`(golang|npmjs|debian|maven|pypi|pythonhosted|crates|docker)\.(org|io|com)\b|\bpypi\.org\b`)

// files returns the texts of the project by path: all that is not hidden, built or kept by a running stack.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			hidden := strings.HasPrefix(d.Name(), ".") && d.Name() != "." && d.Name() != ".ci"
			if hidden || path == "bin" || d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		body, err := os.ReadFile(path)
		if err == nil && !bytes.ContainsRune(body[:min(len(body), 8000)], 0) {
			all[filepath.ToSlash(path)] = body
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTopLevelFoldersAreFixed(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "bin" && !slices.Contains(topLevel, e.Name()) {
			t.Errorf("folder %s is none of the house's rooms %v", e.Name(), topLevel)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	seen := map[string]bool{}
	for path, body := range files(t) {
		lines := bytes.Count(body, []byte("\n"))
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || lines <= maxLines {
			continue
		}
		if seen[path] = true; long[path] == "" {
			t.Errorf("%s has %d lines, more than %d: split it by concept", path, lines, maxLines)
		}
	}
	for path := range long {
		if !seen[path] {
			t.Errorf("%s is listed as long and is not (any more)", path)
		}
	}
}

func TestPackagesSayWhatTheyOwn(t *testing.T) {
	documented, where := map[string]bool{}, map[string]string{}
	for path, body := range files(t) {
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, body, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		dir := filepath.Dir(path)
		where[dir] = f.Name.Name
		documented[dir] = documented[dir] || f.Doc != nil
	}
	for dir, name := range where {
		if !documented[dir] {
			t.Errorf("package %s has no package comment that says what it owns and what not", dir)
		}
		if slices.Contains(vague, name) || slices.Contains(vague, filepath.Base(dir)) {
			t.Errorf("package %s: the name says nothing about what it owns", dir)
		}
	}
}

func TestNoRegistryHosts(t *testing.T) {
	for _, bad := range []string{"https://proxy" + ".golang.org/x", "registry" + ".npmjs.org", "repo1" + ".maven.org/maven2"} {
		if !registryHost.MatchString(bad) {
			t.Errorf("%q is not found: the check guards nothing", bad)
		}
	}
	for path, body := range files(t) {
		if strings.HasSuffix(path, "go.sum") || strings.HasSuffix(path, "go.work.sum") {
			continue
		}
		if host := registryHost.Find(body); host != nil {
			t.Errorf("%s names the registry host %s: leave it to the machine's settings", path, host)
		}
	}
}
