package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// stand is a time through which a case's stage clock stood (T1).
type stand struct{ from, to time.Time }

// clockShift is an event of the timeline: the stage clock was moved. A hold or a promise moves it ahead of its time, a release takes back
// what is left of that; an extension moves dates and no time stands; everything else moves it when it is over.
type clockShift struct {
	At      time.Time
	Seconds int64
	Why     string
}

// Why the stage clock moves otherwise than by what is over.
const (
	shiftedByHold      = "held"
	shiftedByPromise   = "promise to pay"
	shiftedByRelease   = "released"
	shiftedByExtension = "extended"
	shiftedByTakeback  = "extension taken back"
)

// stands turns the shifts of a case, in their order, into the times that its clock stood.
func stands(shifts []clockShift) (all []stand) {
	held := -1 // the last hold
	for _, s := range shifts {
		d := time.Duration(s.Seconds) * time.Second
		ahead := s.Why == shiftedByHold || s.Why == shiftedByPromise
		switch {
		case s.Why == shiftedByExtension || s.Why == shiftedByTakeback:
		case s.Why == shiftedByRelease:
			if held >= 0 {
				all[held].to = all[held].to.Add(d)
			}
		case !ahead:
			all = append(all, stand{s.At.Add(-d), s.At})
		case held >= 0 && all[held].to.After(s.At):
			all[held].to = all[held].to.Add(d) // extended
		default:
			held = len(all)
			all = append(all, stand{s.At, s.At.Add(d)})
		}
	}
	return all
}

// countWait moves the stage clock by the wait for an attempt's outcome, which was not the customer's, as far as the clock did not stand
// anyway: no time is left out twice (T1).
func (e *episode) countWait(ctx context.Context, from time.Time) error {
	wait := e.withoutMoments(lateBy(from, e.now))
	if wait <= e.lateGrace() {
		return nil
	}
	stood, err := e.stoodSince(ctx, from)
	if err != nil {
		return err
	}
	if wait = e.withoutMoments(wait - stood); wait <= 0 {
		return nil
	}
	return e.shiftClock(ctx, wait, "we waited for an answer")
}

// countPause moves the stage clock by the time that we kept the case from going on, as far as it did not stand anyway (T1).
func (e *episode) countPause(ctx context.Context, since time.Time) error {
	stood, err := e.stoodSince(ctx, since)
	if err != nil {
		return err
	}
	pause := e.now.Sub(since) - stood
	if pause <= 0 {
		return nil
	}
	return e.shiftClock(ctx, pause, "we kept the case from going on")
}

// stoodSince is for how long the stage clock stood from then to now.
func (e *episode) stoodSince(ctx context.Context, from time.Time) (stood time.Duration, err error) {
	const query = `select at, (data ->> 'seconds')::bigint as seconds, data ->> 'why' as why from case_events
		where case_id = $1 and kind = 'clock_shifted' order by id`
	rows, _ := e.tx.Query(ctx, query, e.row.ID)
	shifts, err := pgx.CollectRows(rows, pgx.RowToStructByName[clockShift])
	if err != nil {
		return 0, fmt.Errorf("read the stage clock of case %s: %w", e.row.ID, err)
	}
	for _, s := range stands(shifts) {
		begins, ends := s.from, s.to
		if begins.Before(from) {
			begins = from
		}
		if ends.After(e.now) {
			ends = e.now
		}
		if ends.After(begins) {
			stood += ends.Sub(begins)
		}
	}
	return stood, nil
}
