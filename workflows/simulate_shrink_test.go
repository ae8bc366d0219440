package workflows_test

import (
	"slices"
	"testing"

	"recoup/audit/model"
	"recoup/store/privatepg/pgtest"
)

// shrinkTries bounds the plays that it takes to find a smaller case.
const shrinkTries = 60

// shrink looks for a smaller case that differs too: it leaves out happenings, methods, answers and balances, one by one, as long as what
// is left still differs. Each play has a database of its own, because the case keeps its ids and with them its jitter.
func shrink(t *testing.T, d drawn, most int) drawn {
	tries := 0
	for {
		smaller, found := d, false
		for _, v := range variants(d) {
			if tries++; tries > most {
				return d
			}
			if differs(t, v) {
				smaller, found = v, true
				break
			}
		}
		if !found {
			return d
		}
		d = smaller
	}
}

func differs(t *testing.T, d drawn) bool {
	found, _, _ := simulate(openSimulation(t, pgtest.New(t)), d, d.id).differences()
	return len(found) > 0
}

// variants are the cases that lack one thing.
func variants(d drawn) (all []drawn) {
	without := func(change func(*drawn)) {
		v := d
		change(&v)
		all = append(all, v)
	}
	for i := len(d.Happenings) - endings - 1; i >= 0; i-- {
		without(func(v *drawn) { v.Happenings = slices.Delete(slices.Clone(d.Happenings), i, i+1) })
	}
	for i := len(d.Methods) - 1; i >= 0; i-- {
		without(func(v *drawn) { v.Methods = slices.Delete(slices.Clone(d.Methods), i, i+1) })
	}
	if len(d.Deaths) > 0 {
		without(func(v *drawn) { v.Deaths = nil })
	}
	for i := range d.Credits {
		without(func(v *drawn) { v.Credits = slices.Delete(slices.Clone(d.Credits), i, i+1) })
	}
	for i := range d.Deposits {
		without(func(v *drawn) { v.Deposits = slices.Delete(slices.Clone(d.Deposits), i, i+1) })
	}
	for i, m := range d.Methods {
		for j := len(m.Answers) - 2; j >= 0; j-- { // the last one repeats, and ends an attempt
			without(func(v *drawn) {
				m.Answers = slices.Delete(slices.Clone(m.Answers), j, j+1)
				v.Methods = slices.Clone(d.Methods)
				v.Methods[i] = m
			})
		}
	}
	return all
}

// TestShrinkKeepsWhatDiffers plants a difference, a play that opens later than the model thinks, and looks for the smallest such case.
func TestShrinkKeepsWhatDiffers(t *testing.T) {
	d := plantedCase(t)
	small := shrink(t, d, 3)
	if !differs(t, small) || len(small.Happenings) >= len(d.Happenings) {
		t.Errorf("shrunk %d happenings and %d methods to %d and %d", len(d.Happenings), len(d.Methods), len(small.Happenings), len(small.Methods))
	}
}

// plantedCase is the first drawn case that the planted difference shows in, and that has something to leave out.
func plantedCase(t *testing.T) drawn {
	for n := range 40 {
		d := draw(1, n)
		d.Jitter += 10 * model.Slack
		if len(d.Methods) > 0 && len(d.Happenings) > endings+1 && differs(t, d) {
			return d
		}
	}
	t.Fatal("no drawn case opens on a date that jitter moves")
	return drawn{}
}
