package boundary

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryLabelIsDescribed: each label has its line, once, and each line a label that some place in the program passes.
func TestEveryLabelIsDescribed(t *testing.T) {
	names := constants(t)
	described := map[Label]bool{}
	for _, d := range Labels() {
		if described[d.Label] {
			t.Errorf("%q is described twice", d.Label)
		}
		if described[d.Label] = true; d.Committed == "" || d.Then == "" {
			t.Errorf("%q does not say what is committed and who goes on", d.Label)
		}
	}
	if len(names) != len(described) || len(names) < 20 {
		t.Errorf("%d labels, %d descriptions", len(names), len(described))
	}
	passed := uses(t)
	for name := range names {
		if !passed[name] {
			t.Errorf("no place in the program passes boundary.%s", name)
		}
	}
}

// TestTheTableIsWritten: docs/crash-points.md has a row for each label, with the sentences of the code.
func TestTheTableIsWritten(t *testing.T) {
	raw, err := os.ReadFile("../docs/crash-points.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range Labels() {
		if row := "| " + string(d.Label) + " | " + d.Committed + " | " + d.Then + " |\n"; !strings.Contains(string(raw), row) {
			t.Errorf("docs/crash-points.md lacks\n%s", row)
		}
	}
}

// constants are the names of this package's labels.
func constants(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "boundary.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for _, name := range v.Names {
				names[name.Name] = true
			}
		}
		return true
	})
	return names
}

// uses are the labels that other packages pass, by name.
func uses(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "devstack" || d.Name() == "boundary" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "boundary" {
					used[s.Sel.Name] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}
