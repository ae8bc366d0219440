//go:build !canary_budget_per_invoice

package store

// sameBudget finds the attempts a of methods p that count against method m: those on the same instrument, whatever account or invoice
// they were for (D4).
const sameBudget = `p.fingerprint = m.fingerprint`
