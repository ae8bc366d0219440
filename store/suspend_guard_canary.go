//go:build canary_suspend_without_last_look

package store

// Believed in review: the workflow waited for the deadline and asked what comes next, so the guards were looked at already.
const mayBeSuspended = `c.id = $1 and a.id = c.account_id and i.id = c.invoice_id and $2::bigint is not null and $3::timestamptz <= $4::timestamptz`
