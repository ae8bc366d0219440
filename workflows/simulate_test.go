package workflows_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/audit"
	"recoup/audit/model"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

// casesAlways are played in every run of the tests.
const casesAlways = 30

// TestSimulation plays drawn cases and compares each with what the rules say (package model), then audits the databases.
//
//	make simulate SIM_CASES=3000 SIM_SEED=7    # as many cases as you like; every edge must be hit
//	SIM_SEED=7 SIM_ONLY=123,2046 go test -run TestSimulation -v ./workflows
func TestSimulation(t *testing.T) {
	seed, numbers := uint64(number(t, "SIM_SEED", 1)), chosen(t)
	began := time.Now()
	var group sync.WaitGroup
	runs := make([]simulation, 2)
	var stores []*store.Store
	for i := range runs {
		run := &runs[i]
		*run = simulation{t: t, seed: seed, store: openSimulation(t, pgtest.New(t))}
		stores = append(stores, run.store)
		for n := i; n < len(numbers); n += len(runs) {
			run.numbers = append(run.numbers, numbers[n])
		}
		group.Go(run.all)
	}
	group.Wait()
	differing := 0
	for i := range runs {
		differing += len(runs[i].differing)
		runs[i].audit()
	}
	hit, all := tabulate(t, edges(t, stores), len(numbers))
	for i := range runs {
		runs[i].report()
	}
	fmt.Printf("%d cases, %d of %d edges hit, %d differences, seed %d, %s\n", len(numbers), hit, all, differing, seed, time.Since(began).Round(time.Second))
}

// chosen are the cases to play: SIM_ONLY's, or the first SIM_CASES.
func chosen(t *testing.T) (numbers []int) {
	if only := os.Getenv("SIM_ONLY"); only != "" {
		for _, text := range strings.FieldsFunc(only, func(r rune) bool { return r == ',' || r == ' ' }) {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("SIM_ONLY: %v", err)
			}
			numbers = append(numbers, n)
		}
		return numbers
	}
	for n := range number(t, "SIM_CASES", casesAlways) {
		numbers = append(numbers, n)
	}
	return numbers
}

func number(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// simulation is a part of the cases on a database of their own.
type simulation struct {
	t         *testing.T
	seed      uint64
	store     *store.Store
	numbers   []int
	books     tellerBooks
	last      time.Time
	differing []int
	found     map[int][]string
}

// all plays the cases, one after the other.
func (s *simulation) all() {
	s.found = map[int][]string{}
	for _, n := range s.numbers {
		d := draw(s.seed, n)
		p := simulate(s.store, d, d.id)
		s.books = append(s.books, p.gate)
		if p.at.After(s.last) {
			s.last = p.at
		}
		if found, _, _ := p.differences(); len(found) > 0 {
			s.differing, s.found[n] = append(s.differing, n), found
		}
		if len(s.differing) > differingMax && !only() {
			s.t.Errorf("more than %d cases differ: the others are not played", differingMax)
			return
		}
	}
}

// only says that somebody named the cases: then all of them are played and made small.
func only() bool { return os.Getenv("SIM_ONLY") != "" }

// Of the cases that differ so many are played at all, and so many made small.
const (
	differingMax = 20
	shrunkMax    = 2
)

// report takes the first differing cases apart and lists the others.
func (s *simulation) report() {
	for i, n := range s.differing {
		if i >= shrunkMax && !only() {
			s.t.Errorf("case %d of seed %d: %s", n, s.seed, strings.Join(s.found[n], "; "))
			continue
		}
		small := shrink(s.t, draw(s.seed, n), shrinkTries)
		p := simulate(openSimulation(s.t, pgtest.New(s.t)), small, small.id)
		found, want, got := p.differences()
		s.t.Errorf("case %d of seed %d differs from the rules:\n  %s\n\nthe smallest case that differs:\n  %s\n\n%s\n%s\nagain: SIM_SEED=%d SIM_ONLY=%d go test -run TestSimulation -v ./workflows",
			n, s.seed, strings.Join(s.found[n], "\n  "), strings.Join(found, "\n  "), p.told(), model.SideBySide(p.Zone, want.Timeline, got.Timeline), s.seed, n)
	}
}

// told describes a case.
func (p *simulated) told() string {
	var out strings.Builder
	fmt.Fprintf(&out, "policy %s, %s, %s, lines %v, credits %v, deposits %v, opened %s\n", p.Policy.Name, p.Currency.Code(), p.Zone, p.Lines, p.Credits, p.Deposits,
		p.Start.In(p.Zone).Format(time.DateTime))
	for _, m := range p.Methods {
		fmt.Fprintf(&out, "method %s %s bank=%v expires %s: %v\n", m.ID, m.Brand, m.Bank, m.Expires.Format(time.DateOnly), m.Answers)
	}
	for _, h := range p.Happenings {
		fmt.Fprintf(&out, "%s  %s", h.At.In(p.Zone).Format("Mon 2006-01-02 15:04:05"), h.Do)
		for _, v := range []any{h.Amount, h.Method} {
			if s := fmt.Sprint(v); s != "" && s != "0" {
				fmt.Fprintf(&out, " %s", s)
			}
		}
		if !h.Until.IsZero() {
			fmt.Fprintf(&out, " until %s", h.Until.In(p.Zone).Format(time.DateTime))
		}
		if h.OnlyEscalation {
			fmt.Fprint(&out, " only escalation")
		}
		if h.New.ID != "" {
			fmt.Fprintf(&out, " %s bank=%v: %v", h.New.ID, h.New.Bank, h.New.Answers)
		}
		if h.Credit.ID != "" {
			fmt.Fprintf(&out, " %v", h.Credit)
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

// audit checks the invariants over all cases of the database.
func (s *simulation) audit() {
	report, err := audit.Run(context.Background(), s.store.Pool(), audit.Options{Books: []audit.Books{s.books}, Now: s.last.Add(time.Hour)})
	if err != nil {
		s.t.Error(err)
		return
	}
	for _, i := range report.Broken() {
		s.t.Errorf("the audit finds %d breaches of %s, %s: %v", i.Total, i.ID, i.Says, i.Breaches[:min(5, len(i.Breaches))])
	}
}
