//go:build !canary_events_updated

package store

// addCaseEvent adds a line to a timeline and changes none (I15).
const addCaseEvent = `insert into case_events (case_id, at, kind, data) values ($1, $2, $3, $4)`
