//go:build !canary_webhook_twice

package store

import "github.com/jackc/pgx/v5/pgconn"

// firstOfItsID reports whether an event was stored now: a gateway delivers at least once, and only the first copy is acted on (B1).
func firstOfItsID(tag pgconn.CommandTag) bool { return tag.RowsAffected() == 1 }
