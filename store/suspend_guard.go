//go:build !canary_suspend_without_last_look

package store

// mayBeSuspended is S2 for case $1, the policy's minimum $2 and the deadline $3 at the instant $4.
const mayBeSuspended = `c.id = $1 and a.id = c.account_id
	and i.state = 'open' and i.total_minor - i.allocated_minor >= greatest($2::bigint, 1)
	and $3::timestamptz <= $4::timestamptz
	and (c.held_until is null or c.held_until <= $4)
	and (c.promised_until is null or c.promised_until <= $4) and c.closing = ''
	and (a.never_suspend_until is null or a.never_suspend_until <= $4)
	and not exists (select 1 from disputes d where d.invoice_id = i.id and d.ended_at is null)
	and not exists (select 1 from attempts t where t.invoice_id = i.id and t.state in ` + openStates + `)
	and ` + noticesDelivered
