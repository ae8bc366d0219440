package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Origin is from where a person's act came, for the audit log.
type Origin struct {
	Door    string // console, api, cli, workflow
	Session string // the session's or token's id
	Address string // of the browser or program
}

type originKey struct{}

// WithOrigin makes every audit row written under the context say from where the act came.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// String is how the audit log keeps it: "console session 3f… from 10.0.0.7".
func (o Origin) String() string {
	text := o.Door
	if o.Session != "" {
		text += " " + o.Session
	}
	if o.Address != "" {
		text += " from " + o.Address
	}
	return text
}

// sayOrigin gives the transaction its origin; audit_log's default reads it. Only acts of people have one, so the machine pays nothing.
func sayOrigin(ctx context.Context, tx pgx.Tx) error {
	o, ok := ctx.Value(originKey{}).(Origin)
	if !ok {
		return nil
	}
	if _, err := tx.Exec(ctx, `select set_config('recoup.origin', $1, true)`, o.String()); err != nil {
		return fmt.Errorf("say the origin of an act: %w", err)
	}
	return nil
}
