package stripe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"recoup/billing"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func around(at time.Time) window { return window{at.Add(-5 * time.Minute), at.Add(5 * time.Minute)} }

// TestU1ManyLookUpsShareOneReading is an outage's end: hundreds of attempts of one hour are looked up at once, and the list is read a few
// times, not hundreds.
func TestU1ManyLookUpsShareOneReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l listings
		var reads atomic.Int32
		read := func(l *listing) {
			reads.Add(1)
			time.Sleep(10 * time.Second) // of the bubble
			l.complete = true
		}
		var wg sync.WaitGroup
		for i := range 400 {
			at := time.Now().Add(time.Duration(i-400) * 5 * time.Second)
			wg.Go(func() {
				if got, err := l.covering(t.Context(), around(at), at, time.Now, read); err != nil || !got.covers(around(at)) {
					t.Errorf("look-up %d: %v, %v", i, got, err)
				}
			})
		}
		wg.Wait()
		if n := reads.Load(); n > 10 {
			t.Errorf("the list was read %d times", n)
		}
	})
}

// TestA19AListingProvesOnlyWhatItCouldHold: neither a listing of other hours nor one that began too early speaks for an attempt.
func TestA19AListingProvesOnlyWhatItCouldHold(t *testing.T) {
	var l listings
	reads, at := 0, noon
	read := func(l *listing) {
		reads++
		l.intents[billing.AttemptID(fmt.Sprint(reads))] = []string{"pi"}
		l.complete = true
	}
	clock := func() time.Time { return at }
	for _, c := range []struct {
		name      string
		w         window
		notBefore time.Time
		passes    time.Duration
		reads     int
	}{
		{"the first", around(noon.Add(-time.Hour)), noon, 0, 1},
		{"the same again", around(noon.Add(-time.Hour)), noon, time.Minute, 1},
		{"sent again since", around(noon.Add(-time.Hour)), noon.Add(30 * time.Second), 0, 2},
		{"too early to prove anything", around(noon.Add(-time.Hour)), noon.Add(time.Hour), 0, 3},
		{"and again at the same moment", around(noon.Add(-time.Hour)), noon.Add(time.Hour), 0, 4},
		{"an hour later", around(noon), noon, 0, 5},
		{"a little more", window{noon.Add(-6 * time.Minute), noon.Add(5 * time.Minute)}, noon, 0, 6},
		{"a part", window{noon.Add(-4 * time.Minute), noon}, noon, 0, 6},
	} {
		at = at.Add(c.passes)
		got, err := l.covering(t.Context(), c.w, c.notBefore, clock, read)
		if err != nil || reads != c.reads || got.began.Before(c.notBefore) && at.After(c.notBefore) {
			t.Errorf("%s: read %d times (want %d), began %s, %v", c.name, reads, c.reads, got.began, err)
		}
	}
}

// TestA19TooManyTogetherIsNotTooManyAlone: what look-ups want together may be more than is read; each then gets its own window.
func TestA19TooManyTogetherIsNotTooManyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l listings
		read := func(l *listing) {
			time.Sleep(time.Second)
			l.complete = l.to.Sub(l.from) <= 10*time.Minute
		}
		var wg sync.WaitGroup
		for i := range 5 {
			at := time.Now().Add(time.Duration(i-10) * time.Minute)
			wg.Go(func() {
				if got, err := l.covering(t.Context(), around(at), at, time.Now, read); err != nil || !got.complete {
					t.Errorf("look-up %d: %v, %v", i, got, err)
				}
			})
		}
		wide := window{time.Now().Add(-time.Hour), time.Now()}
		wg.Go(func() {
			if got, err := l.covering(t.Context(), wide, wide.from, time.Now, read); err != nil || got.complete || got.window != wide {
				t.Errorf("too many in its own window: %v, %v", got, err)
			}
		})
		wg.Wait()
	})
}

// TestU1ASlowListServesTheNextLookUp: what one call can't wait for is there for the next.
func TestU1ASlowListServesTheNextLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l listings
		reads := 0
		read := func(l *listing) { reads++; time.Sleep(time.Minute); l.complete = true }
		w, sent := around(time.Now()), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		if _, err := l.covering(ctx, w, sent, time.Now, read); !errors.Is(err, errStillReading) {
			t.Errorf("the first: %v", err)
		}
		if got, err := l.covering(t.Context(), w, sent, time.Now, read); err != nil || !got.complete || reads != 1 {
			t.Errorf("the next: %v, %v, %d reads", got, err, reads)
		}
	})
}

// TestD2AFailedListingIsNotKept: its error is told to whom it was read for, and the next look-up reads again.
func TestD2AFailedListingIsNotKept(t *testing.T) {
	var l listings
	broken := errors.New("HTTP 500")
	now := func() time.Time { return noon }
	if _, err := l.covering(t.Context(), around(noon), noon, now, func(l *listing) { l.err = broken }); !errors.Is(err, broken) {
		t.Errorf("the broken one: %v", err)
	}
	if got, err := l.covering(t.Context(), around(noon), noon, now, func(l *listing) { l.complete = true }); err != nil || !got.complete {
		t.Errorf("the next: %v, %v", got, err)
	}
}
