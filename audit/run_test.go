package audit

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func TestACleanStoryHoldsEveryInvariant(t *testing.T) {
	w := playStory(t)
	report, err := Run(context.Background(), w.Pool(), w.options())
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		text := &strings.Builder{}
		w.must(report.Write(text))
		t.Fatalf("broken:\n%s", text)
	}
	if len(report.Invariants) != len(checks) || !slices.Equal(report.Books, []string{"stripe"}) {
		t.Errorf("%d of %d invariants, books of %v", len(report.Invariants), len(checks), report.Books)
	}
	for _, i := range report.Invariants {
		for _, c := range i.Checked {
			if c.N == 0 {
				t.Errorf("%s looked at 0 %s: the story shows nothing about it", i.ID, c.What)
			}
		}
	}
}

func TestWithoutBooksTheReportSaysSo(t *testing.T) {
	w := playStory(t)
	report, err := Run(context.Background(), w.Pool(), Options{Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	text := &strings.Builder{}
	w.must(report.Write(text))
	if !report.OK() || !strings.Contains(text.String(), "No gateway's books were read") {
		t.Errorf("report:\n%s", text)
	}
}

func TestTheAuditOnlyReads(t *testing.T) {
	w := playStory(t)
	state := func() string {
		return w.scan(`select string_agg(query_to_xml(format('select count(*), max(xmin::text::bigint) from %I.%I', schemaname, tablename), false, true, '')::text, ' '
			order by tablename) from pg_tables where schemaname = 'public'`)
	}
	before := state()
	if _, err := Run(context.Background(), w.Pool(), w.options()); err != nil {
		t.Fatal(err)
	}
	if after := state(); after != before {
		t.Errorf("tables changed:\n%s\n%s", before, after)
	}
	if left := w.scan(`select count(*)::text from pg_class where relname = 'audit_books'`); left != "0" {
		t.Errorf("%s temporary tables left", left)
	}
}
