//go:build !canary_second_case

package store

// liveCase finds the case that collects an invoice, whether or not its workflow runs already (I20).
const liveCase = `select id, policy from cases where invoice_id = $1 and finished_at is null`
