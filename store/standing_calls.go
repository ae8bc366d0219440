package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// calling is the problem of a call that is under way; its send_after is then the end of the claim.
const calling = "calling"

// ClaimStandingCalls takes up to limit calls of the suspension hook that are due, for the length of lease. Of each account only the
// newest generation is taken, and none while an older one is under way: calls arrive in order, and what a newer one overtakes is
// skipped (S3).
func (s *Store) ClaimStandingCalls(ctx context.Context, limit int, lease time.Duration) ([]billing.StandingCall, error) {
	var calls []billing.StandingCall
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		const skip = `
			update standing_calls c set accepted_at = $1, problem = 'skipped: a newer generation exists'
			 where c.accepted_at is null and (c.problem <> '` + calling + `' or c.send_after <= $1)
			   and ` + overtaken
		if _, err := tx.Exec(ctx, skip, now); err != nil {
			return err
		}
		const claim = `
			update standing_calls c set tries = tries + 1, send_after = $3, problem = '` + calling + `'
			  from (select account_id, generation from standing_calls d
			         where accepted_at is null and send_after <= $1
			           and not ` + olderUnderWay + `
			         order by send_after limit $2 for update skip locked) due
			 where c.account_id = due.account_id and c.generation = due.generation
			returning c.account_id as account, c.generation, c.standing, c.reason, c.created_at as at, c.tries as try`
		rows, _ := tx.Query(ctx, claim, now, limit, now.Add(lease))
		calls, err = pgx.CollectRows(rows, pgx.RowToStructByName[billing.StandingCall])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim standing calls: %w", err)
	}
	return calls, nil
}

// StandingCallAccepted records that the hook took the call, or that there is no hook; note says which.
func (s *Store) StandingCallAccepted(ctx context.Context, c billing.StandingCall, note string) error {
	return s.recordCall(ctx, c, "accepted", `update standing_calls set accepted_at = $4, problem = $5
		where account_id = $1 and generation = $2 and tries = $3 and accepted_at is null`, 0, note)
}

// StandingCallFailed gives the call back, to be made again after wait. After alertAfter tries operators get a task.
func (s *Store) StandingCallFailed(ctx context.Context, c billing.StandingCall, wait time.Duration, problem string) error {
	err := s.recordCall(ctx, c, "failed", `update standing_calls set send_after = $4, problem = $5
		where account_id = $1 and generation = $2 and tries = $3 and accepted_at is null`, wait, problem)
	if err != nil || c.Try < alertAfter {
		return err
	}
	const open = `insert into tasks (id, key, kind, account_id, detail)
		values (gen_random_uuid(), 'hook_stuck/' || $1::text || '/' || $2::text, 'hook_stuck', $1, jsonb_build_object('problem', $3::text))
		on conflict do nothing`
	if _, err := s.pool.Exec(ctx, open, c.Account, fmt.Sprint(c.Generation), problem); err != nil {
		return fmt.Errorf("open task for the hook of account %s: %w", c.Account, err)
	}
	return nil
}

// alertAfter is the number of tries after which people are told that the hook does not accept a call.
const alertAfter = 5

func (s *Store) recordCall(ctx context.Context, c billing.StandingCall, what, sql string, wait time.Duration, note string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sql, c.Account, c.Generation, c.Try, now.Add(wait), note)
		if err == nil && tag.RowsAffected() != 1 {
			err = fmt.Errorf("the claim of try %d is no longer valid", c.Try)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("record call of generation %d of account %s as %s: %w", c.Generation, c.Account, what, err)
	}
	return nil
}
