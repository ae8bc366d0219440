package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The committed files are what this program writes.
func TestFilesAreUpToDate(t *testing.T) {
	for name, want := range files() {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs: run go run ./examples/story examples", name)
		}
	}
}

// Every scene of the README has its accounts in the story, and every account is in the README.
func TestReadmeNamesEveryAccount(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	accounts := 0
	for _, o := range story() {
		a, ok := o.(account)
		if !ok {
			continue
		}
		accounts++
		if a.Parent == "" && !bytes.Contains(readme, []byte("`"+a.ID+"`")) {
			t.Errorf("examples/README.md lacks %s", a.ID)
		}
	}
	if accounts < 40 {
		t.Errorf("%d accounts, want at least 40", accounts)
	}
}
