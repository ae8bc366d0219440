package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/access"
	"recoup/billing"
)

// TokenPrefix begins every API token, so that scanners for leaked secrets can find one.
const TokenPrefix = "rcp_"

// TokenLifeMax bounds how long a token may live.
const TokenLifeMax = 366 * 24 * time.Hour

// usedEvery is how exactly a token's last use is kept.
const usedEvery = time.Minute

// NewToken is what an API token is made from.
type NewToken struct {
	Name    string
	Scopes  []access.Action
	Account billing.AccountID // "" for all
	Life    time.Duration
	Actor   string
}

// CreateToken makes an API token and returns it: this is the only time that it can be seen.
func (s *Store) CreateToken(ctx context.Context, n NewToken) (token string, err error) {
	if err := n.check(); err != nil {
		return "", err
	}
	token = TokenPrefix + rand.Text()
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if n.Account != "" {
			var known bool
			if err := tx.QueryRow(ctx, `select exists (select 1 from accounts where id = $1)`, n.Account).Scan(&known); err != nil {
				return fmt.Errorf("create token: %w", err)
			}
			if !known {
				return billing.Refuse(billing.RefusedNotFound, "account", "there is no account %s", n.Account)
			}
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		const insert = `insert into api_tokens (id, secret_hash, name, scopes, account_id, created_by, created_at, expires_at)
			values ($1, $2, $3, $4, nullif($5, ''), $6, $7, $8)`
		id := uuid.New()
		if _, err := tx.Exec(ctx, insert, id, hashOf(token), n.Name, n.Scopes, n.Account, n.Actor, now, now.Add(n.Life)); err != nil {
			return fmt.Errorf("create token: %w", err)
		}
		return auditAct(ctx, tx, act{actor: n.Actor, kind: "create_token", reason: "for " + n.Name, account: n.Account,
			after: map[string]any{"token": id, "name": n.Name, "scopes": n.Scopes, "expires_at": now.Add(n.Life)}})
	})
	return token, err
}

func (n NewToken) check() error {
	switch {
	case strings.TrimSpace(n.Name) == "" || len(n.Name) > 100:
		return billing.Refuse(billing.RefusedInvalid, "name", "must say what the token is for, in at most 100 characters")
	case len(n.Scopes) == 0:
		return billing.Refuse(billing.RefusedInvalid, "scopes", "must name at least one action")
	case n.Life <= 0 || n.Life > TokenLifeMax:
		return billing.Refuse(billing.RefusedInvalid, "expires", "a token lives at least a moment and at most %d days", int(TokenLifeMax.Hours()/24))
	case strings.TrimSpace(n.Actor) == "":
		return billing.Refuse(billing.RefusedInvalid, "actor", "must say who makes the token")
	}
	known := access.Actions()
	for _, a := range n.Scopes {
		if a == access.Public || !slices.Contains(known, a) {
			return billing.Refuse(billing.RefusedInvalid, "scopes", "%q is no action; see recoup token actions", string(a))
		}
	}
	return nil
}

// Token returns whom the token speaks for; nil when it is unknown, expired or revoked.
func (s *Store) Token(ctx context.Context, token string) (*access.Principal, error) {
	if !strings.HasPrefix(token, TokenPrefix) {
		return nil, nil
	}
	const query = `select t.id, t.name, t.scopes, coalesce(t.account_id, ''), t.used_at, n.now
		from api_tokens t, lateral (select coalesce($2, clock_timestamp()) as now) n
		where t.secret_hash = $1 and t.revoked_at is null and t.expires_at > n.now`
	var p access.Principal
	var id uuid.UUID
	var used *time.Time
	var now time.Time
	err := s.pool.QueryRow(ctx, query, hashOf(token), s.testInstant()).Scan(&id, &p.Name, &p.Scopes, &p.Account, &used, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	p.ID, p.Name = "token "+id.String(), "token "+p.Name
	if now.Sub(orZero(used)) > usedEvery {
		if _, err := s.pool.Exec(ctx, `update api_tokens set used_at = $2 where id = $1`, id, now); err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
	}
	return &p, nil
}

// TokenView is one token as it may be shown: never the secret.
type TokenView struct {
	ID        string
	Name      string
	Scopes    []access.Action
	Account   billing.AccountID
	CreatedBy string
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero: never
	RevokedAt time.Time // zero: not
}

// ListTokens returns all tokens, the newest first, at most 1,000.
func (s *Store) ListTokens(ctx context.Context) ([]TokenView, error) {
	rows, err := s.pool.Query(ctx, `select id::text, name, scopes, coalesce(account_id, ''), created_by, created_at, expires_at, used_at, revoked_at
		from api_tokens order by created_at desc, id limit 1000`)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (TokenView, error) {
		var v TokenView
		var used, revoked *time.Time
		err := row.Scan(&v.ID, &v.Name, &v.Scopes, &v.Account, &v.CreatedBy, &v.CreatedAt, &v.ExpiresAt, &used, &revoked)
		v.UsedAt, v.RevokedAt = orZero(used), orZero(revoked)
		return v, err
	})
}

// RevokeToken ends a token at once. Revoking it again changes nothing.
func (s *Store) RevokeToken(ctx context.Context, id, actor, reason string) error {
	if _, err := uuid.Parse(id); err != nil {
		return billing.Refuse(billing.RefusedInvalid, "token", "%q is not a token's id; see recoup token list", id)
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var revoked bool
		err := tx.QueryRow(ctx, `select revoked_at is not null from api_tokens where id = $1 for update`, id).Scan(&revoked)
		if errors.Is(err, pgx.ErrNoRows) {
			return billing.Refuse(billing.RefusedNotFound, "token", "there is no token %s", id)
		}
		if err != nil {
			return fmt.Errorf("revoke token %s: %w", id, err)
		}
		if revoked {
			return nil
		}
		if _, err := tx.Exec(ctx, `update api_tokens set revoked_at = now(), revoked_by = $2 where id = $1`, id, actor); err != nil {
			return fmt.Errorf("revoke token %s: %w", id, err)
		}
		return auditAct(ctx, tx, act{actor: actor, kind: "revoke_token", reason: reason, after: map[string]any{"token": id}})
	})
}
