//go:build !canary_reinstate_without_generation

package store

// Calls c and d of the suspension hook go in order of generation, so that a late suspend never undoes a newer reinstate (S3).
const (
	overtaken     = `exists (select 1 from standing_calls n where n.account_id = c.account_id and n.generation > c.generation)`
	olderUnderWay = `exists (select 1 from standing_calls o where o.account_id = d.account_id and o.generation < d.generation
		and o.accepted_at is null)`
)
