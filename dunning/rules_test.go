package dunning

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pureRules are the rules that money, billing and dunning keep by themselves; the others need Postgres, a gateway or a person and have
// their tests with the rooms that keep them.
const pureRules = "M1 M2 CR1 CR2 CR3 CR4 CR6 CR7 AF1 AF2 AF3 PM2 D1 D3 D5 D6 D7 T1 T2 U1 U4 S2 N1 N2 N3 N4 I14 I17 I18"

func TestEveryPureRuleHasATestNamedAfterIt(t *testing.T) {
	var names []string
	for _, room := range []string{".", "../billing", "../money"} {
		files, err := filepath.Glob(filepath.Join(room, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("tests of %s: %v, %v", room, files, err)
		}
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					names = append(names, f.Name.Name)
				}
			}
		}
	}
	all := strings.Join(names, "\n")
	for _, rule := range strings.Fields(pureRules) {
		if !regexp.MustCompile(`(?m)^Test` + rule + `[^0-9]`).MatchString(all) {
			t.Errorf("no test is named after rule %s", rule)
		}
	}
}
