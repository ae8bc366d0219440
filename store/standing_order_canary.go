//go:build canary_reinstate_without_generation

package store

// Believed in review: each call is made until it is accepted, and they leave in the order in which they were queued.
const (
	overtaken     = `false`
	olderUnderWay = `false`
)
