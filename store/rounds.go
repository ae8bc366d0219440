package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// roundDeferral is how long a round that our own outage stopped waits before it is taken up again (T1).
func (e *episode) roundDeferral() time.Duration {
	if e.policy.Unit == dunning.UnitSecond {
		return 5 * time.Second
	}
	return time.Hour
}

// openRound reads the round begun and not ended, with the methods still to try, in the order kept when it began (PM1).
func (e *episode) openRound(ctx context.Context) (*dunning.OpenRound, error) {
	var number int
	err := e.tx.QueryRow(ctx, `select number from rounds where case_id = $1 and ended_at is null`, e.row.ID).Scan(&number)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read open round of case %s: %w", e.row.ID, err)
	}
	// After an attempt that was not sent no other method is tried: a gateway's bad hour is no decline (PM3).
	const query = `
		select r.method_id, m.gateway, m.brand, m.kind, m.last4, r.position
		from round_methods r join payment_methods m on m.id = r.method_id
		where r.case_id = $1 and r.round = $2 and r.skip = ''
			and not exists (select 1 from attempts a where a.case_id = r.case_id and a.round = r.round
				and (a.method_id = r.method_id or a.state = 'not_sent' or a.class = 'our_config'))
		order by r.position`
	rows, _ := e.tx.Query(ctx, query, e.row.ID, number)
	candidates, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (dunning.Candidate, error) {
		var c dunning.Candidate
		var m billing.PaymentMethod
		err := row.Scan(&c.Method, &c.Gateway, &m.Brand, &m.Kind, &m.Last4, &c.Position)
		c.Masked = masked(m)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read open round of case %s: %w", e.row.ID, err)
	}
	return &dunning.OpenRound{Number: number, Candidates: candidates}, nil
}

// beginRound reads the methods' order and keeps it for the round, with what is skipped and why (PM1, PM2).
func (e *episode) beginRound(ctx context.Context, f dunning.Facts) error {
	scheduled := f.ScheduledRounds < len(f.Dates.Rounds) && (f.Stage == dunning.StageCollecting || f.Stage == dunning.StageRetrying) &&
		!f.Dates.Rounds[f.ScheduledRounds].After(e.now)
	cause := string(e.row.Wake)
	if scheduled {
		cause = "scheduled"
		var err error
		if n := f.ScheduledRounds; n == 0 {
			// The first round's date is the case's start and never moves; what was counted before is not counted again.
			err = e.countLateness(ctx, f.Dates.Rounds[0].Add(time.Duration(e.row.ClockShiftSeconds)*time.Second))
		} else {
			err = e.countLateStep(ctx, func(d dunning.Dates) time.Time { return d.Rounds[n] })
		}
		if err != nil {
			return err
		}
		e.row.ScheduledRounds++
	}
	e.row.Rounds++
	only := e.row.WakeMethod
	e.row.Wake, e.row.WakeMethod, e.row.LastRoundBeganAt, e.row.RoundDeferredUntil = dunning.WakeNone, "", &e.now, nil
	const update = `update cases set rounds = $2, scheduled_rounds = $3, wake = '', wake_method = '', last_round_began_at = $4, round_deferred_until = null
		where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, e.row.Rounds, e.row.ScheduledRounds, e.now); err != nil {
		return fmt.Errorf("begin round of case %s: %w", e.row.ID, err)
	}
	const insert = `insert into rounds (case_id, number, cause, began_at, only_method) values ($1, $2, $3, $4, $5)`
	if _, err := e.tx.Exec(ctx, insert, e.row.ID, e.row.Rounds, cause, e.now, only); err != nil {
		return fmt.Errorf("begin round of case %s: %w", e.row.ID, err)
	}
	methods, err := readMethods(ctx, e.tx, e.account.ID, e.now, budgetFor{invoice: e.invoice.ID})
	if err != nil {
		return err
	}
	declined, err := e.declinedBefore(ctx)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	usable := 0
	for n, m := range methods {
		skip := m.Skip(e.now, f.Due.Currency())
		switch {
		case skip != billing.SkipNone:
		case only != "" && m.ID != only:
			skip = billing.SkipNotAsked
		case e.account.BackupsOff && n > 0 && only == "":
			skip = billing.SkipBackupsOff
		case declined[m.ID]:
			skip = billing.SkipDeclinedBefore
		}
		if skip == billing.SkipNone {
			usable++
		}
		if err := e.skipped(ctx, m, skip); err != nil {
			return err
		}
		batch.Queue(`insert into round_methods (case_id, round, position, method_id, skip) values ($1, $2, $3, $4, $5)`,
			e.row.ID, e.row.Rounds, m.Position, m.ID, string(skip))
	}
	if batch.Len() > 0 {
		if err := e.tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("begin round of case %s: %w", e.row.ID, err)
		}
	}
	return e.event(ctx, "round_began", map[string]any{"round": e.row.Rounds, "cause": cause, "methods": len(methods), "usable": usable})
}

// endRound closes a round that left something due: the customer is told once, after the whole round (N3); a round that only our own
// outage stopped is taken up again later and tells nobody (T1).
func (e *episode) endRound(ctx context.Context, f dunning.Facts) error {
	tally, err := e.tally(ctx, f.Open.Number)
	if err != nil {
		return err
	}
	result := "failed"
	switch {
	case tally.notSent > 0:
		result = "deferred"
	case f.AllDisputed():
		result = "disputed"
	case tally.tried == 0:
		result = "no usable method"
	}
	const update = `update rounds set ended_at = $3, result = $4 where case_id = $1 and number = $2`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, f.Open.Number, e.now, result); err != nil {
		return fmt.Errorf("end round of case %s: %w", e.row.ID, err)
	}
	if err := e.event(ctx, "round_ended", map[string]any{"round": f.Open.Number, "result": result}); err != nil {
		return err
	}
	switch result {
	case "deferred":
		return e.deferRound(ctx, f.Open.Number, tally.outage)
	case "disputed":
		return nil // nothing failed: what may be collected was
	}
	if e.row.Stage == dunning.StageCollecting {
		if err := e.setStage(ctx, dunning.StageRetrying); err != nil {
			return err
		}
	}
	if tally.risk {
		// A person looks first: no ordinary dunning mail (D1).
		return nil
	}
	return e.tell(ctx, dunning.NoticePaymentFailed, fmt.Sprintf("round-%d", f.Open.Number), billing.NoticeData{Round: f.Open.Number})
}

// deferRound puts a round off that our own outage stopped: a scheduled one is due again, an early one is asked for again.
func (e *episode) deferRound(ctx context.Context, round int, outage bool) error {
	until := e.now
	if outage {
		until = until.Add(e.roundDeferral())
	}
	e.row.RoundDeferredUntil = &until
	const update = `
		with r as (select cause from rounds where case_id = $1 and number = $2),
		asked as (select a.method_id from attempts a where a.case_id = $1 and a.round = $2 and exists
			(select 1 from round_methods m where m.case_id = $1 and m.round = $2 and m.skip = $4) limit 1)
		update cases c set round_deferred_until = $3,
			scheduled_rounds = c.scheduled_rounds - case when r.cause = 'scheduled' then 1 else 0 end,
			wake = case when r.cause = 'scheduled' then c.wake else r.cause end,
			wake_method = case when r.cause = 'scheduled' then c.wake_method else coalesce((select method_id from asked), '') end
		from r where c.id = $1 returning c.scheduled_rounds, c.wake, c.wake_method`
	if err := e.tx.QueryRow(ctx, update, e.row.ID, round, until, string(billing.SkipNotAsked)).Scan(&e.row.ScheduledRounds, &e.row.Wake,
		&e.row.WakeMethod); err != nil {
		return fmt.Errorf("defer round of case %s: %w", e.row.ID, err)
	}
	if !outage {
		return nil
	}
	return e.openTask(ctx, task{Kind: "our_outage", Key: "our_outage/" + e.now.UTC().Format("2006-01-02T15"),
		Detail: map[string]any{"why": "a gateway took no charges"}})
}

// declinedBefore returns the methods that were declined in this round before our outage stopped it: they are not asked again (D4).
func (e *episode) declinedBefore(ctx context.Context) (map[billing.MethodID]bool, error) {
	const query = `select a.method_id from attempts a where a.case_id = $1 and a.state = 'declined' and a.class <> 'our_config' and a.round >
		(select coalesce(max(number), 0) from rounds where case_id = $1 and ended_at is not null and result <> 'deferred')`
	rows, _ := e.tx.Query(ctx, query, e.row.ID)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[billing.MethodID])
	if err != nil {
		return nil, fmt.Errorf("begin round of case %s: %w", e.row.ID, err)
	}
	declined := map[billing.MethodID]bool{}
	for _, id := range ids {
		declined[id] = true
	}
	return declined, nil
}

// roundTally is how a round went.
type roundTally struct {
	tried, notSent int  // notSent: not sent, or refused for our own configuration
	outage         bool // for reasons of ours or the gateway's
	risk           bool
}

func (e *episode) tally(ctx context.Context, round int) (roundTally, error) {
	const query = `select state, class from attempts where case_id = $1 and round = $2`
	rows, err := e.tx.Query(ctx, query, e.row.ID, round)
	if err != nil {
		return roundTally{}, fmt.Errorf("tally round %d of case %s: %w", round, e.row.ID, err)
	}
	defer rows.Close()
	var t roundTally
	for rows.Next() {
		var state billing.AttemptState
		var class dunning.Class
		if err := rows.Scan(&state, &class); err != nil {
			return t, fmt.Errorf("tally round %d of case %s: %w", round, e.row.ID, err)
		}
		if state == billing.AttemptNotSent || class == dunning.ClassOurConfig {
			t.notSent++
			t.outage = t.outage || class != ""
			continue
		}
		t.tried++
		t.risk = t.risk || class == dunning.ClassRisk
	}
	return t, rows.Err()
}
