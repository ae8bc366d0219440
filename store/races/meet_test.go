package races

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// patience is how long a pair may take before the harness itself is taken for stuck.
const patience = 2 * time.Minute

// meet runs both operations of a trial on connections of their own. err is the harness's own.
func (l *lab) meet(ctx context.Context, w *world, p trial, counts *tally) (errA, errB, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	onA, onB := p.on()
	a, b := newGate(max(p.hold, 1)), newGate(0)
	doneA, doneB := make(chan error, 1), make(chan error, 1)
	go func() { doneA <- p.a.do(a.on(ctx), l.Store, w, onA) }()
	runB := func() { doneB <- p.b.do(b.on(ctx), l.Store, w, onB) }
	if p.hold == 0 {
		// Both wait with a connection in hand, before their first statement.
		b = newGate(1)
		go runB()
		for _, o := range []struct {
			gate *gate
			done chan error
			of   *operation
		}{{a, doneA, p.a}, {b, doneB, p.b}} {
			select {
			case <-o.gate.reached:
			case err := <-o.done: // refused before it asked Postgres anything: nothing of it races
				errA = errors.Join(errA, fmt.Errorf("%s met nobody, it ended without a statement", o.of.name), err)
			}
		}
		close(a.open)
		close(b.open)
		if errA != nil {
			return errA, nil, nil
		}
		counts.mu.Lock()
		counts.rounds++
		counts.mu.Unlock()
		return <-doneA, <-doneB, nil
	}
	select {
	case <-a.reached:
	case errA = <-doneA: // it had fewer statements this time
		runB()
		return errA, <-doneB, nil
	}
	go runB()
	met, err := l.endOrLock(ctx, b, a, doneB)
	close(a.open)
	counts.mu.Lock()
	counts.held++
	if met {
		counts.blocked++
	}
	counts.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	return <-doneA, <-doneB, nil
}

// endOrLock waits until an operation has ended or waits for a lock that another holds, and reports whether it is the lock.
func (l *lab) endOrLock(ctx context.Context, runs, holds *gate, done chan error) (met bool, err error) {
	poll := time.NewTicker(500 * time.Microsecond)
	defer poll.Stop()
	for {
		select {
		case err := <-done:
			done <- err
			return false, nil
		case <-ctx.Done():
			return false, errors.New("neither ended nor waits for a lock of the other")
		case <-poll.C:
		}
		if runs.pid.Load() == 0 {
			continue
		}
		const blocked = `select $2::int = any(pg_blocking_pids($1::int))`
		if err := l.Pool().QueryRow(ctx, blocked, runs.pid.Load(), holds.pid.Load()).Scan(&met); err != nil {
			return false, fmt.Errorf("look for locks: %w", err)
		}
		if met {
			return true, nil
		}
	}
}
