package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// AuditCounter names, in SQL, who counts transactions: the server and the database. A restored dump counts anew.
const AuditCounter = `(select c.system_identifier || '/' || d.oid from pg_control_system() c, pg_database d where d.datname = current_database())`

// KeepWatermarks remembers up to which transaction number each of these invariants was found well, so that the next incremental audit
// reads only what was committed since. A watermark never goes back.
func (s *Store) KeepWatermarks(ctx context.Context, xid int64, counter string, invariants []string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		const upsert = `insert into audit_watermarks (invariant, xid, counter, at) select i, $2, $3, clock_timestamp() from unnest($1::text[]) i order by i
			on conflict (invariant) do update set at = clock_timestamp(), counter = excluded.counter,
				xid = case when audit_watermarks.counter = excluded.counter then greatest(audit_watermarks.xid, excluded.xid) else excluded.xid end`
		_, err := tx.Exec(ctx, upsert, invariants, xid, counter)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the audit's watermarks: %w", err)
	}
	return nil
}
