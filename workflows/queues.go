package workflows

import "recoup/billing"

// CaseQueue is the task queue of cases and of the facts that only touch Postgres.
const CaseQueue = "recoup-cases"

// ChargeQueue is the task queue of one gateway's charges and look-ups.
func ChargeQueue(gateway string) string { return "recoup-charges-" + gateway }

// CaseWorkflowID is the workflow id of a case.
func CaseWorkflowID(id billing.CaseID) string { return "case/" + string(id) }
