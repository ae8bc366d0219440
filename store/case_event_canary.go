//go:build canary_events_updated

package store

// Believed in review: a timeline with the newest of each kind is easier to read.
const addCaseEvent = `with changed as (update case_events set at = $2, data = $4 where case_id = $1 and kind = $3 returning id)
	insert into case_events (case_id, at, kind, data) select $1, $2, $3, $4 where not exists (select 1 from changed)`
