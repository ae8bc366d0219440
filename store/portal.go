package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/access"
	"recoup/billing"
)

// PortalLinkLife is how long a link into an account's own pages waits to be opened.
const PortalLinkLife = 15 * time.Minute

// PortalIssuer is the issuer of sessions that a portal link began.
const PortalIssuer = "portal"

// CreatePortalLink makes the secret of a link by which one person of the account signs in once. The company's own site asks for it after
// it has signed its customer in.
func (s *Store) CreatePortalLink(ctx context.Context, account billing.AccountID, role access.Role, name, actor string) (secret string, err error) {
	switch {
	case !role.OfAccount():
		return "", billing.Refuse(billing.RefusedInvalid, "role", "%q is none of %v", string(role), access.AccountRoles())
	case strings.TrimSpace(name) == "" || len(name) > 100:
		return "", billing.Refuse(billing.RefusedInvalid, "name", "must say who the person is, in at most 100 characters")
	}
	secret = rand.Text()
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `insert into portal_links (secret_hash, account_id, role, name, created_by, created_at, expires_at)
			select $1, id, $3, $4, $5, $6, $7 from accounts where id = $2`, hashOf(secret), account, role, name, actor, now, now.Add(PortalLinkLife))
		if err != nil {
			return fmt.Errorf("create portal link: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return billing.Refuse(billing.RefusedNotFound, "account", "there is no account %s", account)
		}
		return auditAct(ctx, tx, act{actor: actor, kind: "open_portal", reason: "a link for one person", account: account, after: map[string]any{"role": role, "name": name}})
	})
	return secret, err
}

// UsePortalLink takes a link, once, and returns whom it signs in; nil when it is unknown, used or too old.
func (s *Store) UsePortalLink(ctx context.Context, secret string) (*SignIn, error) {
	const use = `update portal_links p set used_at = coalesce($2, clock_timestamp())
		where p.secret_hash = $1 and p.used_at is null and p.expires_at > coalesce($2, clock_timestamp())
		returning p.account_id, p.role, p.name`
	in := SignIn{Issuer: PortalIssuer}
	var role access.Role
	err := s.pool.QueryRow(ctx, use, hashOf(secret), s.testInstant()).Scan(&in.Account, &role, &in.Name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("use portal link: %w", err)
	}
	in.Subject, in.Roles = string(in.Account)+"/"+in.Name, []access.Role{role}
	return &in, nil
}
