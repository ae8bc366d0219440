//go:build canary_webhook_twice

package store

import "github.com/jackc/pgx/v5/pgconn"

// Believed in review: it is stored, now or before, and acting on it is harmless.
func firstOfItsID(pgconn.CommandTag) bool { return true }
