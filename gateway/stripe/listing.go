package stripe

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
)

const (
	// listPages bounds how many pages of 100 a listing reads; beyond it a miss proves nothing.
	listPages = 50
	// listTime bounds how long one listing may take over all its pages.
	listTime = 2 * time.Minute
	// listingsKept is how many listings are remembered: ids only, at most 5,000 each.
	listingsKept = 4
)

var errStillReading = errors.New("the list of payments is still being read; the next look-up goes on with it")

// window is a span of creation times at Stripe.
type window struct{ from, to time.Time }

func (w window) covers(o window) bool   { return !o.from.Before(w.from) && !o.to.After(w.to) }
func (w window) overlaps(o window) bool { return w.from.Before(o.to) && o.from.Before(w.to) }

func (w window) and(o window) window {
	if o.from.Before(w.from) {
		w.from = o.from
	}
	if o.to.After(w.to) {
		w.to = o.to
	}
	return w
}

// listing is what the list of intents held in a window, read once.
type listing struct {
	window
	number   int // counts readings, from 1
	began    time.Time
	done     chan struct{} // closed when the fields below are written
	intents  map[billing.AttemptID][]string
	complete bool
	err      error
}

// want is what a look-up asks of a listing.
type want struct {
	window
	notBefore time.Time // it must not have begun earlier: what was sent since is not in it
	after     int       // nor be one of so many first readings
}

func (l *listing) serves(w want) bool {
	return l.covers(w.window) && !l.began.Before(w.notBefore) && l.number > w.after
}

// listings lets many look-ups share one reading of the list: after an outage hundreds of attempts are unknown at once, and each would
// read the same thousands of intents by itself, longer than a call may take and beyond Stripe's limit of requests.
type listings struct {
	mu      sync.Mutex
	begun   int      // readings so far
	waiting []window // wanted by look-ups that the reading under way does not serve
	reading *listing
	kept    []*listing // newest first
}

// covering returns a listing of the window that began at notBefore or later, or, when that time is still to come, after this call. It is
// read now if need be. It waits as long as ctx does; the reading goes on for those who ask next. One that is not complete is of this
// window alone.
func (l *listings) covering(ctx context.Context, of window, notBefore time.Time, now func() time.Time, read func(*listing)) (*listing, error) {
	w, alone := want{window: of, notBefore: notBefore}, false
	if now().Before(notBefore) {
		l.mu.Lock()
		w.notBefore, w.after = time.Time{}, l.begun
		l.mu.Unlock()
	}
	for {
		found, reading := l.findOrRead(w, alone, now, read)
		switch {
		case found != nil && (found.complete || found.window == of):
			return found, nil
		case found != nil:
			alone = true // too many in what all wanted together; perhaps not in this window
			continue
		}
		select {
		case <-reading.done:
			if reading.err != nil && reading.serves(w) {
				return nil, reading.err
			}
		case <-ctx.Done():
			return nil, errStillReading
		}
	}
}

// findOrRead returns what is kept and serves, or else the reading to wait for: the one under way, or one begun for this window and, unless
// it should be alone, for those wanted meanwhile that overlap with it.
func (l *listings) findOrRead(w want, alone bool, now func() time.Time, read func(*listing)) (found, reading *listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.kept {
		if k.serves(w) && (!alone || k.complete || k.window == w.window) {
			return k, nil
		}
	}
	if l.reading != nil {
		if !l.reading.serves(w) {
			l.waiting = append(l.waiting, w.window)
		}
		return nil, l.reading
	}
	l.begun++
	next := &listing{window: w.window, number: l.begun, began: now(), done: make(chan struct{}), intents: map[billing.AttemptID][]string{}}
	if !alone {
		for _, o := range l.waiting {
			if o.overlaps(next.window) {
				next.window = next.and(o)
			}
		}
	}
	l.waiting, l.reading = nil, next
	go func() {
		read(next)
		l.mu.Lock()
		defer l.mu.Unlock()
		if next.err == nil {
			l.kept = append([]*listing{next}, l.kept[:min(len(l.kept), listingsKept-1)]...)
		}
		l.reading = nil
		close(next.done)
	}()
	return nil, next
}

// read reads the list of a window, newest first, to its end or its bound. Lists are consistent where search is not.
func (a *Adapter) read(l *listing) {
	ctx, cancel := context.WithTimeout(context.Background(), listTime)
	defer cancel()
	list := &stripe.PaymentIntentListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: l.from.Unix(), LesserThan: l.to.Unix()}}
	list.Limit = stripe.Int64(pageSize)
	ctx = withList(ctx, objectList)
	read := 0
	for intent, err := range a.client.V1PaymentIntents.List(ctx, list).All(ctx) {
		if err != nil {
			l.err = err
			return
		}
		if mark := billing.AttemptID(intent.Metadata[MetaAttempt]); mark != "" {
			l.intents[mark] = append(l.intents[mark], intent.ID)
		}
		if read++; read >= pageSize*listPages {
			return
		}
	}
	l.complete = true
}
