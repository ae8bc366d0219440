// Command counts adds up what `go test -json` wrote and prints "N passed, N failed, N skipped" on a line of its own. It judges nothing:
// the exit code of the tests does.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
}

type counts struct{ passed, failed, skipped int }

func main() {
	var total counts
	for _, path := range os.Args[1:] {
		if err := total.addFile(path); err != nil {
			fmt.Fprintln(os.Stderr, "counts:", err)
			os.Exit(1)
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped)
}

func (c *counts) addFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := c.add(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// add counts tests and subtests. A package that fails without a failed test (it did not build, or died) counts as one.
func (c *counts) add(r io.Reader) error {
	failedIn := map[string]bool{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err == io.EOF {
			return nil
		}
		var e event
		if jsonErr := json.Unmarshal(line, &e); jsonErr != nil {
			return jsonErr
		}
		switch {
		case e.Action == "pass" && e.Test != "":
			c.passed++
		case e.Action == "skip" && e.Test != "":
			c.skipped++
		case e.Action == "fail" && e.Test != "":
			c.failed++
			failedIn[e.Package] = true
		case e.Action == "fail" && !failedIn[e.Package]:
			c.failed++
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
}
