package chaos

import (
	"sync"
	"time"
)

// tally counts what was done, from many goroutines.
type tally struct {
	mu     sync.Mutex
	done   map[Kind]int
	missed map[Kind]int // nothing was there to do it to
	kills  []kill
}

// kill is one end of a process that the run brought about.
type kill struct {
	kind Kind
	at   time.Time
	// until is when Postgres answered again; zero for the others.
	until time.Time
}

func newTally() *tally { return &tally{done: map[Kind]int{}, missed: map[Kind]int{}} }

func (t *tally) did(k Kind) { t.add(k, 1) }

func (t *tally) add(k Kind, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done[k] += n
}

func (t *tally) has(k Kind) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done[k] > 0
}

func (t *tally) miss(k Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missed[k]++
}

func (t *tally) killed(k kill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done[k.kind]++
	t.kills = append(t.kills, k)
}

func (t *tally) counts() (done, missed map[Kind]int, kills []kill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	done, missed = map[Kind]int{}, map[Kind]int{}
	for k, n := range t.done {
		done[k] = n
	}
	for k, n := range t.missed {
		missed[k] = n
	}
	return done, missed, append([]kill(nil), t.kills...)
}
