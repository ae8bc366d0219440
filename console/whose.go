package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"recoup/billing"
)

// nobodys is the account of what isn't there: no account's id looks so. Whoever is bound to one account gets the same answer about
// another's as about what does not exist (I19).
const nobodys = billing.AccountID("(nobody's)")

// accountAskedFor is whose thing an endpoint is about, for those who are bound to one account; "" when it is about none or all. Nobody
// else is worth the look into the database: they see every account.
func (c *console) accountAskedFor(ctx huma.Context) (billing.AccountID, error) {
	p := principalOf(ctx.Context())
	if p == nil || p.Account == "" {
		return "", nil
	}
	path := ctx.Operation().Path
	switch {
	case within(path, "/api/own/invoices/{id}"):
		return c.accountOf(ctx.Context(), billing.InvoiceID(ctx.Param("id")))
	case within(path, "/api/own"):
		return p.Account, nil
	case within(path, "/api/accounts/{id}"):
		return billing.AccountID(ctx.Param("id")), nil
	case within(path, "/api/cases/{id}"):
		return c.accountOf(ctx.Context(), billing.InvoiceID(ctx.Param("id")))
	}
	return "", nil
}

// accountOfPage is accountAskedFor for pages: an account's own people have their own, and no others.
func (c *console) accountOfPage(r *http.Request) (billing.AccountID, error) {
	p := principalOf(r.Context())
	if p == nil || p.Account == "" || !within(r.URL.Path, "/own") {
		return "", nil
	}
	if invoice := r.PathValue("invoice"); invoice != "" {
		return c.accountOf(r.Context(), billing.InvoiceID(invoice))
	}
	return p.Account, nil
}

// onOwnSide reports whether a customer looks at it: not a page of staff.
func onOwnSide(r *http.Request) bool {
	return within(r.URL.Path, "/own") || within(r.URL.Path, "/portal")
}

// loggedPath is a request's path without the secret of a portal link (I18).
func loggedPath(r *http.Request) string {
	if within(r.URL.Path, "/portal") {
		return "/portal/…"
	}
	return r.URL.Path
}

// within reports whether an endpoint is this one or one below it.
func within(path, top string) bool {
	rest, ok := strings.CutPrefix(path, top)
	return ok && (rest == "" || rest[0] == '/')
}

// accountOf is whose invoice it is; nobody's when there is none.
func (c *console) accountOf(ctx context.Context, invoice billing.InvoiceID) (billing.AccountID, error) {
	if billing.CheckID(string(invoice)) != nil {
		return nobodys, nil
	}
	account, err := c.Store.AccountOfInvoice(ctx, invoice)
	if err != nil || account != "" {
		return account, err
	}
	return nobodys, nil
}
