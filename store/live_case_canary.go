//go:build canary_second_case

package store

// Believed in review: a case whose workflow never started is no case yet, so the scan opens one that does.
const liveCase = `select id, policy from cases where invoice_id = $1 and finished_at is null and workflow_started_at is not null`
