package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/boundary"
	"recoup/devstack/rig"
)

// Settings of make crash and make crash-pairs.
const (
	modeVariable  = "CRASH" // "all" or "pairs"; "" runs the sample
	pairsVariable = "PAIRS"
	seedVariable  = "SEED"
	onlyVariable  = "ONLY" // a part of the stories' names, for looking into one
	pairsDefault  = 300
)

// sampled are the labels and stories of the sample: those with most to lose.
var (
	sampledLabels = []boundary.Label{
		boundary.AfterReview, boundary.AfterIntent, boundary.BeforeSend, boundary.AfterAnswer, boundary.AfterReceipt, boundary.AfterMail,
	}
	sampledStories = []string{"credits and funds", "primary", "backup after a decline", "unknown, captured"}
)

// TestSampleOfCrashes: a few labels in a few stories, with all other tests.
func TestSampleOfCrashes(t *testing.T) {
	if os.Getenv(modeVariable) != "" {
		t.Skip("make crash runs every label, this sample among them")
	}
	h := build(t)
	var chosen []story
	for _, s := range stories() {
		if slices.Contains(sampledStories, s.name) {
			chosen = append(chosen, s)
		}
	}
	r := newRun(t, h, chosen)
	cells := r.alone(chosen)
	for n := range chosen {
		for _, l := range sampledLabels {
			cells = append(cells, r.cell(&chosen[n], l))
		}
	}
	r.tell(cells)
	r.judge()
	if r.crashed < len(sampledLabels)*2 {
		t.Errorf("only %d cells crashed", r.crashed)
	}
	t.Log(r.counts("sample"))
}

// TestEverySingleCrash: every label in every story (make crash).
func TestEverySingleCrash(t *testing.T) {
	if os.Getenv(modeVariable) != "all" {
		t.Skip("make crash runs it: it takes minutes")
	}
	h := build(t)
	all := slices.DeleteFunc(stories(), func(s story) bool { return !strings.Contains(s.name, os.Getenv(onlyVariable)) })
	r := newRun(t, h, all)
	passed := r.findPasses(all)
	var cells []cell
	for n := range all {
		for _, d := range boundary.Labels() {
			if passed[all[n].name][d.Label] {
				cells = append(cells, r.cell(&all[n], d.Label))
			} else {
				r.notPassed++
			}
		}
	}
	r.tell(cells)
	r.judge()
	r.mismatch()
	for _, d := range boundary.Labels() {
		if r.diedOf[d.Label] == 0 && os.Getenv(onlyVariable) == "" {
			t.Errorf("no process died %s: no story passes it", d.Label)
		}
	}
	fmt.Println(r.counts("crash"))
}

// TestPairsOfCrashes: processes die at one label and then at another of the same story (make crash-pairs).
func TestPairsOfCrashes(t *testing.T) {
	if os.Getenv(modeVariable) != "pairs" {
		t.Skip("make crash-pairs runs it: it takes minutes")
	}
	pairs, seed := number(t, pairsVariable, pairsDefault), number(t, seedVariable, int(time.Now().UnixNano()%1e9))
	h := build(t)
	all := stories()
	r := newRun(t, h, all)
	passed := r.findPasses(all)
	var possible []cell
	for n := range all {
		for _, first := range boundary.Labels() {
			for _, second := range boundary.Labels() {
				if passed[all[n].name][first.Label] && passed[all[n].name][second.Label] {
					possible = append(possible, cell{story: &all[n], labels: []boundary.Label{first.Label, second.Label}})
				}
			}
		}
	}
	rand.New(rand.NewPCG(uint64(seed), 0)).Shuffle(len(possible), func(i, j int) { possible[i], possible[j] = possible[j], possible[i] })
	chosen := possible[:min(pairs, len(possible))]
	for n := range chosen {
		chosen[n] = r.cell(chosen[n].story, chosen[n].labels...)
	}
	fmt.Printf("crash-pairs: seed %d, %d of %d ordered pairs (SEED=%[1]d PAIRS=%[2]d runs them again)\n", seed, len(chosen), len(possible))
	r.tell(chosen)
	r.judge()
	fmt.Println(r.counts("crash-pairs"))
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s is not a number", variable, text)
	}
	return n
}

// run is one run of many tellings.
type run struct {
	t       *testing.T
	house   *house
	stories []story
	began   time.Time

	mu    sync.Mutex
	told  []cell
	ended map[string]ending // by account

	cells, crashed, deaths, notPassed, breaches int
	missed                                      []string
	diedOf                                      map[boundary.Label]int
}

func newRun(t *testing.T, h *house, all []story) *run {
	t.Helper()
	r := &run{t: t, house: h, stories: all, began: time.Now(), ended: map[string]ending{}, diedOf: map[boundary.Label]int{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	go h.watch(ctx)
	return r
}

// cell makes a cell with an account of its own.
func (r *run) cell(s *story, labels ...boundary.Label) cell {
	r.cells++
	return cell{story: s, labels: labels, id: fmt.Sprintf("c%04d", r.cells)}
}

// alone tells each story without any crash of its own.
func (r *run) alone(all []story) []cell {
	var cells []cell
	for n := range all {
		cells = append(cells, r.cell(&all[n]))
	}
	return cells
}

// findPasses tells each story alone and returns the labels it passes.
func (r *run) findPasses(all []story) map[string]map[boundary.Label]bool {
	r.t.Helper()
	cells := r.alone(all)
	r.tell(cells)
	passed, err := r.house.passes()
	if err != nil {
		r.t.Fatal(err)
	}
	byStory := map[string]map[boundary.Label]bool{}
	for _, c := range cells {
		byStory[c.story.name] = passed[c.id]
		if byStory[c.story.name] == nil {
			byStory[c.story.name] = map[boundary.Label]bool{}
		}
		for _, l := range []boundary.Label{boundary.AfterImport, boundary.AfterOpen, boundary.AfterStart} {
			byStory[c.story.name][l] = true // here by the test's own process, there by one that dies of it
		}
	}
	return byStory
}

// tell tells the cells' stories, many at once, and remembers how they end.
func (r *run) tell(cells []cell) {
	r.t.Helper()
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	var done int
	for _, c := range cells {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(r.t.Context(), tellingWait)
			defer cancel()
			err := (&play{cell: c, ctx: ctx, house: r.house}).tell()
			var e ending
			if err == nil {
				e, err = r.house.ending(ctx, c.id)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if done++; done%100 == 0 {
				fmt.Printf("%s  %d of %d stories told\n", time.Since(r.began).Round(time.Second), done, len(cells))
			}
			if err != nil {
				r.breach("%s does not end: %v", c, err)
				return
			}
			r.told, r.ended[c.id] = append(r.told, c), e
		})
	}
	wg.Wait()
}

// breach is called under the lock, or when nobody else runs.
func (r *run) breach(format string, args ...any) {
	r.t.Helper()
	r.breaches++
	r.t.Errorf(format, args...)
}

// judge holds every end against what it must be, and the whole against books, mailbox and audit.
func (r *run) judge() {
	r.t.Helper()
	ctx := r.t.Context()
	if err := rig.Eventually(ctx, 3*time.Minute, "nothing moves", func() error { return r.house.rig.AwaitQuiet(ctx, time.Minute) }); err != nil {
		r.breach("%v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	died, err := r.house.deaths()
	if err != nil {
		r.breach("%v", err)
	}
	for _, c := range r.told {
		got := r.ended[c.id]
		if got != c.story.ends {
			r.breach("%s ends otherwise (died %v)\n got %+v\nwant %+v", c, died[c.id], got, c.story.ends)
		}
		r.deaths += len(died[c.id])
		for _, l := range died[c.id] {
			r.diedOf[l]++
		}
		if len(died[c.id]) == len(c.labels) {
			r.crashed += min(len(c.labels), 1)
		} else {
			r.missed = append(r.missed, c.String())
		}
	}
	r.notPassed += len(r.missed)
	r.house.mu.Lock()
	defer r.house.mu.Unlock()
	for _, other := range r.house.others {
		r.breach("a process ended of something else: %s", other)
	}
	var strange int
	const query = `select count(*) from tasks where kind = 'gateway_event_unmatched' and closed_at is null`
	if err := r.house.rig.Store.Pool().QueryRow(ctx, query).Scan(&strange); err != nil || strange > 0 {
		r.breach("%d tasks ask whose money it is (%v), though all of it is ours", strange, err)
	}
	r.books(ctx)
	if err := r.house.rig.CompareMails(ctx); err != nil {
		r.breach("%v", err)
	}
	if err := r.house.rig.MustAudit(ctx); err != nil {
		r.breach("%v", err)
	}
}

// books: the gateway kept money at most once for each invoice, and what it kept is what our ends say (I4).
func (r *run) books(ctx context.Context) {
	r.t.Helper()
	charges, err := r.house.rig.Books(ctx)
	if err != nil {
		r.breach("%v", err)
		return
	}
	kept, times := map[string]int64{}, map[string]int{}
	for _, c := range charges {
		id, _, _ := strings.Cut(c.Invoice, ".")
		if c.Status == "succeeded" {
			kept[id] += c.Amount - c.AmountRefunded
			times[id]++
		}
		if c.Status == "pending" {
			r.breach("%s: a charge is still pending at the gateway", c.Invoice)
		}
	}
	for _, c := range r.told {
		if e := r.ended[c.id]; kept[c.id] != e.Gateway-e.Reversed || times[c.id] > 1 {
			r.breach("%s: the gateway keeps %d in %d charges, we have %d", c, kept[c.id], times[c.id], e.Gateway-e.Reversed)
		}
	}
}

// counts is the line that every run ends in.
func (r *run) counts(name string) string {
	missed := ""
	if len(r.missed) > 0 {
		slices.Sort(r.missed)
		missed = "\narmed and not passed:\n  " + strings.Join(r.missed, "\n  ")
	}
	labels := map[boundary.Label]bool{}
	for l := range r.diedOf {
		labels[l] = true
	}
	return fmt.Sprintf("%s: %d labels, %d stories, %d cells, %d deaths, %d not passed, %d breaches, %s%s", name, len(labels), len(r.stories), r.crashed,
		r.deaths, r.notPassed, r.breaches, time.Since(r.began).Round(time.Second), missed)
}
