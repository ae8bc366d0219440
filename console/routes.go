package console

import (
	"net/http"

	"recoup/access"
)

// route is one page or form, and the action that it wants. There is no other way onto the mux, so none is open by oversight; what a form
// decides is asked for again by its kind.
type route struct {
	pattern string
	action  access.Action
	page    func(http.ResponseWriter, *http.Request) error
}

func (c *console) routes() []route {
	all := []route{
		{"GET /{$}", access.ReadCases, c.overview},
		{"GET /cases", access.ReadCases, c.cases},
		{"GET /cases/{invoice}", access.ReadCases, c.showCase},
		{"GET /cases/{invoice}/{episode}", access.ReadCases, c.showCase},
		{"GET /accounts", access.ReadAccounts, c.accounts},
		{"GET /accounts/{account}", access.ReadAccounts, c.showAccount},
		{"GET /policies", access.ReadPolicies, c.policies},
		{"GET /policies/{name}/{version}", access.ReadPolicies, c.showPolicy},
		{"GET /batches", access.ReadCases, c.batches},
		{"GET /batches/{batch}", access.ReadCases, c.showBatch},
		{"GET /notices", access.ReadNotices, c.notices},
		{"GET /notices/{notice}", access.ReadNotices, c.showNotice},
		{"GET /audit-log", access.ReadAuditLog, c.showAuditLog},
		{"GET /tasks/{task}", access.ReadCases, c.showTask},
		{"GET /sign-in", access.Public, c.startSignIn},
		{"GET /sign-in/callback", access.Public, c.finishSignIn},
		{"POST /sign-out", access.Public, c.signOut},
		{"GET /signed-out", access.Public, c.signedOut},
		{"GET /signed-in", access.ReadCases, c.signedIn},
		{"GET /", access.Public, func(http.ResponseWriter, *http.Request) error { return errNoPage }},
	}
	if c.Batches != nil {
		all = append(all, route{"POST /batches", access.RunBatches, c.startBatch}, route{"POST /batches/{batch}/{act}", access.RunBatches, c.takeBatchForm})
	}
	all = append(all, c.ownRoutes()...)
	if c.Resolver == nil {
		return all
	}
	return append(all,
		route{"POST /tasks/{task}", access.ReadCases, c.closeTask},
		route{"POST /cases/{invoice}/resolve", access.ReadCases, c.resolve},
		route{"POST /cases/{invoice}/{episode}/resolve", access.ReadCases, c.resolve},
		route{"POST /accounts/{account}/resolve", access.ReadAccounts, c.resolveAccount},
	)
}
