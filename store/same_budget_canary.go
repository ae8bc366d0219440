//go:build canary_budget_per_invoice

package store

// Believed in review: an invoice may be tried so often, and another invoice has its own tries.
const sameBudget = `p.id = m.id and a.invoice_id = $3`
