package races

import "testing"

// TestM4LookAndSpendHeldAtEveryStatement holds one invoice's look at its balances before each statement while another invoice of the same
// balances looks and spends: what was seen before must not be spent after (M4, AF4, CR4). It is the part of the thorough run that a
// balance read without its lock needs to be seen, short enough for every run.
func TestM4LookAndSpendHeldAtEveryStatement(t *testing.T) {
	l := newLab(t, newPrototype(t))
	statements := countStatements(t, l)
	pairs := [][2]string{
		{"Review of the next", "Review of the oldest"}, {"Review of the oldest", "Review of the next"},
		{"Review at the owner", "Review of the oldest"}, {"Review of the oldest", "Review at the owner"},
	}
	var trials []trial
	for _, pair := range pairs {
		for k := range statements[pair[0]] {
			trials = append(trials, trial{a: named(t, pair[0]), b: named(t, pair[1]), hold: k + 1})
		}
	}
	counts := &tally{thorough: true}
	for len(trials) > 0 {
		n := min(len(trials), perFill)
		if err := l.try(t.Context(), trials[:n], counts); err != nil {
			t.Fatal(err)
		}
		trials = trials[n:]
	}
	for _, text := range counts.found {
		t.Error(text)
	}
	if counts.blocked == 0 {
		t.Error("no operation met a lock of the other: nothing was shown")
	}
	t.Logf("%d held, %d of these met a lock", counts.held, counts.blocked)
}

func named(t *testing.T, name string) *operation {
	t.Helper()
	for i := range operations {
		if operations[i].name == name {
			return &operations[i]
		}
	}
	t.Fatalf("there is no operation %q", name)
	return nil
}
