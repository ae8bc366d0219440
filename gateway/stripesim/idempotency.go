package stripesim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// stored is a finished request's result under its key.
type stored struct {
	status int
	body   []byte
}

// claim takes a key for execution, as Stripe's v1 API does: the first request with a key executes; one that comes while it runs
// gets 409; one with other parameters gets 400; a later one gets the stored result, also when that is a decline or a 500.
// It returns the stored result, or nil when the caller shall execute.
func (s *Simulator) claim(ctx context.Context, key, endpoint, params string) (*stored, *apiError, error) {
	hash := hashOf(params)
	for range 3 { // a key may be freed between the two statements
		tag, err := s.pool.Exec(ctx, `
			insert into stripesim.idempotency_keys (key, endpoint, params_hash, claimed_by, created)
			values ($1, $2, $3, $4, $5) on conflict (key) do nothing`, key, endpoint, hash, s.process, s.now())
		if err != nil {
			return nil, nil, fmt.Errorf("claim an idempotency key: %w", err)
		}
		if tag.RowsAffected() == 1 {
			return nil, nil, nil
		}
		if old, bad, err := s.remembered(ctx, key, endpoint, hash); old != nil || bad != nil || err != nil {
			return old, bad, err
		}
	}
	return nil, keyInUse(key), nil
}

// remembered returns what is stored under a key, or why the key can't be used; nothing when the key is free.
func (s *Simulator) remembered(ctx context.Context, key, endpoint, hash string) (*stored, *apiError, error) {
	var gotEndpoint, gotHash string
	var status *int
	var body []byte
	err := s.pool.QueryRow(ctx, `select endpoint, params_hash, status, body from stripesim.idempotency_keys where key = $1`, key).
		Scan(&gotEndpoint, &gotHash, &status, &body)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read an idempotency key: %w", err)
	case gotEndpoint != endpoint || gotHash != hash:
		return nil, keyMismatch(key), nil
	case status == nil:
		return nil, keyInUse(key), nil
	}
	return &stored{*status, body}, nil, nil
}

func hashOf(params string) string {
	sum := sha256.Sum256([]byte(params))
	return hex.EncodeToString(sum[:])
}

// finish stores a result under its key, in the transaction of the effect: either both happened or neither.
func (s *Simulator) finish(ctx context.Context, tx pgx.Tx, key string, result stored) error {
	if key == "" {
		return nil
	}
	tag, err := tx.Exec(ctx, `update stripesim.idempotency_keys set status = $2, body = $3 where key = $1 and claimed_by = $4`,
		key, result.status, result.body, s.process)
	if err != nil {
		return fmt.Errorf("store a result: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("store a result: the claim of key %s is gone", key)
	}
	return nil
}

// release frees a claimed key of which nothing was executed.
func (s *Simulator) release(ctx context.Context, key string) {
	_, err := s.pool.Exec(context.WithoutCancel(ctx), `
		delete from stripesim.idempotency_keys where key = $1 and status is null and claimed_by = $2`, key, s.process)
	if err != nil {
		s.log.Error("gateway simulator: release a key", "key", key, "err", err)
	}
}

// voidClaims frees what a process that died had claimed: its effects were not committed, or the result would be stored.
func (s *Simulator) voidClaims(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `delete from stripesim.idempotency_keys where status is null and claimed_by <> $1`, s.process)
	if err != nil {
		return fmt.Errorf("void the claims of an earlier process: %w", err)
	}
	return nil
}

// forgetKeys drops keys past their window: from then on the same key executes anew, which is the danger rule U1 guards against.
func (s *Simulator) forgetKeys(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `delete from stripesim.idempotency_keys where status is not null and created < $1`, s.now().Add(-s.opt.KeyWindow))
	if err != nil {
		return fmt.Errorf("forget old keys: %w", err)
	}
	return nil
}
