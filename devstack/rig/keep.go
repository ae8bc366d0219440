package rig

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Death is one end of a kept process.
type Death struct {
	Process *Process
	Code    int // as a shell counts: 137 for kill -9 and for a crash at a boundary
	At      time.Time
}

// Keeper starts a process again at once whenever it ends, as a supervisor does in production.
type Keeper struct {
	mu      sync.Mutex
	current *Process
	stopped bool
	deaths  []Death
	err     error

	stopping chan struct{} // closed by whoever sets stopped
	ended    chan struct{}
}

const (
	// endsTooSoon is how many processes in a row may end before they were up, while Postgres is away for one: more is no crash but a binary
	// that can't run.
	endsTooSoon = 60
	// restartPause grows with each of them, up to restartPauseMax, as a supervisor's does.
	restartPause    = 100 * time.Millisecond
	restartPauseMax = 2 * time.Second
)

// Keep runs a worker, webhooks or the console for as long as the stack does or until Stop, with more settings. It returns when the first
// one is up. died, which may be nil, hears of each end before the next start.
func (r *Rig) Keep(ctx context.Context, name string, more map[string]string, died func(Death)) (*Keeper, error) {
	p, err := r.startAndWait(ctx, name, more)
	if err != nil {
		return nil, err
	}
	k := &Keeper{current: p, ended: make(chan struct{}), stopping: make(chan struct{})}
	r.mu.Lock()
	r.keepers = append(r.keepers, k)
	r.mu.Unlock()
	go k.keep(r, name, more, died)
	return k, nil
}

func (k *Keeper) keep(r *Rig, name string, more map[string]string, died func(Death)) {
	defer close(k.ended)
	for early := 0; early < endsTooSoon; {
		p := k.Current()
		<-p.Done()
		if found, _ := p.said.has(up[name]); found {
			early = 0
		} else {
			early++
		}
		d := Death{Process: p, Code: p.ExitCode(), At: time.Now()}
		k.mu.Lock()
		stopped := k.stopped
		if !stopped {
			k.deaths = append(k.deaths, d)
		}
		k.mu.Unlock()
		if stopped {
			return
		}
		if died != nil {
			died(d)
		}
		k.pause(min(time.Duration(early)*restartPause, restartPauseMax))
		next, err := r.Spawn(name, more, name)
		if err != nil {
			k.fail(err)
			return
		}
		k.mu.Lock()
		k.current = next
		if k.stopped {
			next.Kill9() // Stop asked the one before
		}
		k.mu.Unlock()
	}
	k.fail(fmt.Errorf("%s ended %d times in a row before it was up:\n%s", name, endsTooSoon, tail(k.Current().Log())))
}

func (k *Keeper) pause(d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.stopping:
	}
}

func (k *Keeper) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// Current is the process that runs now, or was started last.
func (k *Keeper) Current() *Process {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

// Deaths are the ends so far, oldest first.
func (k *Keeper) Deaths() []Death {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]Death(nil), k.deaths...)
}

// Err says why the process is no longer kept; nil while it is.
func (k *Keeper) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Stop asks the process for a clean end and keeps it no longer; one that takes too long is killed.
func (k *Keeper) Stop() {
	k.mu.Lock()
	k.giveUp()
	k.current.Interrupt()
	k.mu.Unlock()
	timeout := time.NewTimer(stopWait)
	defer timeout.Stop()
	select {
	case <-k.ended:
		return
	case <-timeout.C:
	}
	k.Current().Kill9()
	<-k.ended
}

// kill ends the process as a power cut would and keeps it no longer.
func (k *Keeper) kill() {
	k.mu.Lock()
	k.giveUp()
	k.current.Kill9()
	k.mu.Unlock()
	<-k.ended
}

// giveUp is called under the lock.
func (k *Keeper) giveUp() {
	if !k.stopped {
		k.stopped = true
		close(k.stopping)
	}
}
