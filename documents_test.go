package recoup_test

import (
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence        = regexp.MustCompile("(?s)```.*?```")
	testLink     = regexp.MustCompile("\\[`?((?:Test|Fuzz)\\w+)`?\\]\\(([^)\\s]+)\\)")
	testName     = regexp.MustCompile(`\b((?:Test|Fuzz)[A-Z]\w+)`)
	testFunc     = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// TestLinksLeadSomewhere follows every relative link of every document.
func TestLinksLeadSomewhere(t *testing.T) {
	links := 0
	for file, body := range files(t) {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		for _, m := range markdownLink.FindAllStringSubmatch(fence.ReplaceAllString(string(body), ""), -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: link %q: %v", file, m[1], err)
				continue
			}
			if u.Scheme != "" || u.Path == "" {
				continue // another site, or a place in the same document
			}
			links++
			if _, err := os.Stat(path.Join(path.Dir(file), u.Path)); err != nil {
				t.Errorf("%s: the link %q leads nowhere", file, m[1])
			}
		}
	}
	if links < 10 {
		t.Errorf("%d links were followed: the check has lost its sight", links)
	}
}

// TestDocumentsNameTestsThatExist holds what documents say is proved against the tests: a linked test is in the linked file or folder, a named
// one exists somewhere.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	all := files(t)
	where := map[string][]string{}
	for file, body := range all {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "gateway/conformance/") {
			for _, m := range testFunc.FindAllStringSubmatch(string(body), -1) {
				where[m[1]] = append(where[m[1]], file)
			}
		}
	}
	named := 0
	for file, body := range all {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		for _, m := range testName.FindAllStringSubmatch(string(body), -1) {
			named++
			if len(where[m[1]]) == 0 {
				t.Errorf("%s names %s, which does not exist", file, m[1])
			}
		}
		for _, m := range testLink.FindAllStringSubmatch(string(body), -1) {
			target := path.Join(path.Dir(file), m[2])
			if !isIn(where[m[1]], target) {
				t.Errorf("%s: %s is not in %s", file, m[1], target)
			}
		}
	}
	if named < 10 {
		t.Errorf("%d tests are named in documents: the check has lost its sight", named)
	}
}

var (
	citedFaults = regexp.MustCompile(`faults\.md ([A-Z]\d+(?:, (?:faults\.md )?[A-Z]\d+)*)`)
	faultID     = regexp.MustCompile(`[A-Z]\d+`)
)

// TestCitedFaultsAreListed: who reads "faults.md A15" in a comment finds it there.
func TestCitedFaultsAreListed(t *testing.T) {
	all := files(t)
	rules, faults, cited := string(all["docs/rules.md"]), string(all["docs/faults.md"]), 0
	for file, body := range all {
		if !strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, ".sql") {
			continue
		}
		for _, m := range citedFaults.FindAllStringSubmatch(string(body), -1) {
			for _, id := range faultID.FindAllString(m[1], -1) {
				cited++
				if !strings.Contains(faults, "| "+id+" |") && !strings.Contains(rules, "- "+id+" ") {
					t.Errorf("%s cites fault %s, which docs/faults.md does not list", file, id)
				}
			}
		}
	}
	if cited < 10 {
		t.Errorf("%d faults are cited: the check has lost its sight", cited)
	}
}

func isIn(files []string, target string) bool {
	for _, f := range files {
		if f == target || strings.HasPrefix(f, target+"/") {
			return true
		}
	}
	return false
}

var kindInCode = regexp.MustCompile(`openTask\(ctx, task\{Kind: "([a-z_]+)"|'([a-z]+_[a-z_]+)/' \|\||, '([a-z]+_[a-z_]+)', nullif|into tasks \(id, key, kind, detail, opened_at\) values \(\$1, \$2, '([a-z_]+)'`)

// TestRunbookKnowsEveryTask: a task that nobody is told how to end is one that stays.
func TestRunbookKnowsEveryTask(t *testing.T) {
	runbook, err := os.ReadFile("docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{"budget_used_up": true} // its opening takes the name of the notice
	for path, body := range files(t) {
		if !strings.HasPrefix(path, "store/") || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "canary") {
			continue
		}
		for _, m := range kindInCode.FindAllStringSubmatch(string(body), -1) {
			kinds[m[1]+m[2]+m[3]+m[4]] = true
		}
	}
	if len(kinds) < 20 {
		t.Fatalf("found only the kinds %v: the pattern looks past how tasks are opened", kinds)
	}
	for kind := range kinds {
		if !strings.Contains(string(runbook), "### `"+kind+"`") {
			t.Errorf("docs/runbook.md has no section on %s", kind)
		}
	}
}
