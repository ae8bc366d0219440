package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/access"
	"recoup/billing"
)

// SignIn is what the identity provider, a portal link or a proxy said of a person.
type SignIn struct {
	Issuer, Subject string
	Name            string // the actor that decisions are recorded under
	Roles           []access.Role
	Account         billing.AccountID // of an account's own person
	At              time.Time         // when they proved who they are; zero: now
	Address         string
}

// SessionTimes bound a session: Life from its start, Idle from its last use.
type SessionTimes struct {
	Life time.Duration
	Idle time.Duration
}

// seenEvery is how exactly a session's last use is kept: a write per page would be waste.
const seenEvery = time.Minute

// StartSession signs a person in and returns the secret for their browser, which is kept nowhere else.
func (s *Store) StartSession(ctx context.Context, in SignIn, times SessionTimes) (secret string, err error) {
	if in.Name == "" || len(in.Roles) == 0 {
		return "", billing.Refuse(billing.RefusedInvalid, "roles", "a session needs a name and at least one role")
	}
	secret = rand.Text()
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		if in.At.IsZero() || in.At.After(now) {
			in.At = now
		}
		const insert = `insert into sessions (id, secret_hash, issuer, subject, name, roles, account_id, signed_in_at, created_at, seen_at,
			expires_at, address) values ($1, $2, $3, $4, $5, $6, nullif($7, ''), $8, $9, $9, $10, $11)`
		id := uuid.New()
		if _, err := tx.Exec(ctx, insert, id, hashOf(secret), in.Issuer, in.Subject, in.Name, in.Roles, in.Account, in.At, now,
			now.Add(times.Life), in.Address); err != nil {
			return fmt.Errorf("start session: %w", err)
		}
		return auditAct(ctx, tx, act{actor: in.Name, kind: "sign_in", reason: "signed in", account: in.Account,
			after: map[string]any{"session": id, "issuer": in.Issuer, "roles": in.Roles}})
	})
	return secret, err
}

// Session returns who holds the secret; nil when nobody does, or no longer.
func (s *Store) Session(ctx context.Context, secret string, times SessionTimes) (*access.Principal, error) {
	const query = `select s.id, s.name, s.roles, coalesce(s.account_id, ''), s.signed_in_at, s.seen_at, t.now
		from sessions s, lateral (select coalesce($2, clock_timestamp()) as now) t
		where s.secret_hash = $1 and s.ended_at is null and s.expires_at > t.now and s.seen_at > t.now - $3::interval`
	var p access.Principal
	var id uuid.UUID
	var seen, now time.Time
	err := s.pool.QueryRow(ctx, query, hashOf(secret), s.testInstant(), times.Idle).Scan(&id, &p.Name, &p.Roles, &p.Account, &p.SignedInAt,
		&seen, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	p.ID = "session " + id.String()
	if now.Sub(seen) > seenEvery {
		if _, err := s.pool.Exec(ctx, `update sessions set seen_at = $2 where id = $1 and seen_at < $2`, id, now); err != nil {
			return nil, fmt.Errorf("read session: %w", err)
		}
	}
	return &p, nil
}

// EndSession signs the holder of the secret out. Nothing happens when they are out already.
func (s *Store) EndSession(ctx context.Context, secret string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var name string
		err := tx.QueryRow(ctx, `update sessions set ended_at = now(), ended_by = name where secret_hash = $1 and ended_at is null
			returning name`, hashOf(secret)).Scan(&name)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		return auditAct(ctx, tx, act{actor: name, kind: "sign_out", reason: "signed out"})
	})
}

// EndSessionsOf signs a person out everywhere, at once, and returns of how many sessions.
func (s *Store) EndSessionsOf(ctx context.Context, name, actor, reason string) (int, error) {
	var ended int64
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update sessions set ended_at = now(), ended_by = $2 where name = $1 and ended_at is null`,
			name, actor)
		if err != nil {
			return fmt.Errorf("end the sessions of %s: %w", name, err)
		}
		if ended = tag.RowsAffected(); ended == 0 {
			return nil
		}
		return auditAct(ctx, tx, act{actor: actor, kind: "end_sessions", reason: reason, after: map[string]any{"of": name, "sessions": ended}})
	})
	return int(ended), err
}

// SessionView is one live session, for the page of administrators.
type SessionView struct {
	Name       string
	Roles      []access.Role
	Account    billing.AccountID
	Address    string
	SignedInAt time.Time
	SeenAt     time.Time
	ExpiresAt  time.Time
}

// ListSessions returns the live sessions, the last used first, at most 500.
func (s *Store) ListSessions(ctx context.Context) ([]SessionView, error) {
	rows, err := s.pool.Query(ctx, `select name, roles, coalesce(account_id, '') as account, address, signed_in_at, seen_at, expires_at
		from sessions where ended_at is null and expires_at > now() order by seen_at desc, id limit 500`)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[SessionView])
}

// hashOf is how secrets are kept: they are 128 random bits, so a plain hash can't be guessed back.
func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
