package console

import (
	"context"
	"time"

	"recoup/billing"
)

type accountInput struct {
	ID string `path:"id" maxLength:"64"`
}

type accountOutput struct{ Body accountJSON }

// accountJSON is one account. Contacts are left out: addresses are only on its page (I18).
type accountJSON struct {
	ID         billing.AccountID `json:"id"`
	Name       string            `json:"name"`
	Parent     billing.AccountID `json:"parent,omitempty"`
	TimeZone   string            `json:"time_zone"`
	Locale     string            `json:"locale"`
	Plan       string            `json:"plan,omitempty" doc:"the customer's plan: rules for policies may go by it"`
	Policy     string            `json:"policy,omitempty" doc:"as its import named it; without one rules decide"`
	Standing   billing.Standing  `json:"standing"`
	Generation int64             `json:"generation"`
	Invoices   []invoiceJSON     `json:"invoices" doc:"open ones first, then the newest; at most 100"`
	Methods    []methodJSON      `json:"payment_methods" doc:"in order: the primary first"`
	Credits    []creditJSON      `json:"credits" doc:"in the order they are used"`
	Deposits   []depositJSON     `json:"deposits"`
	Unapplied  []amountJSON      `json:"unapplied_funds" doc:"money that belongs to no invoice yet, by currency"`
}

type invoiceJSON struct {
	ID      billing.InvoiceID    `json:"id"`
	Number  string               `json:"number"`
	State   billing.InvoiceState `json:"state"`
	Total   amountJSON           `json:"total"`
	Due     amountJSON           `json:"due"`
	DueDate string               `json:"due_date" format:"date"`
	Case    billing.CaseID       `json:"case,omitempty"`
}

type methodJSON struct {
	ID       billing.MethodID    `json:"id"`
	Kind     billing.MethodKind  `json:"kind"`
	Brand    string              `json:"brand"`
	Last4    string              `json:"last4"`
	Position int                 `json:"position"`
	State    billing.MethodState `json:"state"`
	Unusable string              `json:"unusable,omitempty" doc:"why it would be passed over now"`
}

type creditJSON struct {
	ID        billing.CreditID `json:"id"`
	Enabled   bool             `json:"enabled"`
	Granted   amountJSON       `json:"granted"`
	Remaining amountJSON       `json:"remaining"`
	ExpiresAt *time.Time       `json:"expires_at,omitempty"`
	Services  []string         `json:"services,omitempty"`
}

type depositJSON struct {
	ID        billing.DepositID    `json:"id"`
	State     billing.DepositState `json:"state"`
	Reference string               `json:"reference"`
	Amount    amountJSON           `json:"amount"`
	Remaining amountJSON           `json:"remaining"`
}

func (c *console) apiAccount(ctx context.Context, in *accountInput) (*accountOutput, error) {
	d, err := c.Store.FindAccount(ctx, billing.AccountID(in.ID))
	if err != nil {
		return nil, c.apiError("get account", err)
	}
	body := accountJSON{
		ID: d.ID, Name: d.Name, Parent: d.ParentID, TimeZone: d.TimeZone, Locale: d.Locale, Plan: d.Plan, Policy: d.Policy, Standing: d.Standing,
		Generation: d.Generation, Invoices: []invoiceJSON{}, Methods: []methodJSON{}, Credits: []creditJSON{}, Deposits: []depositJSON{},
		Unapplied: []amountJSON{},
	}
	for _, i := range d.Invoices {
		body.Invoices = append(body.Invoices, invoiceJSON{i.ID, i.Number, i.State, amountOf(i.Total), amountOf(i.Due), i.DueDate, i.Case})
	}
	for n, row := range c.methodRows(d.Methods, anyCurrency) {
		m := d.Methods[n]
		body.Methods = append(body.Methods, methodJSON{m.ID, m.Kind, m.Brand, m.Last4, m.Position, m.State, row.Why})
	}
	for _, cr := range d.Credits {
		body.Credits = append(body.Credits, creditJSON{cr.ID, cr.Enabled, amountOf(cr.Granted), amountOf(cr.Remaining), orNil(cr.ExpiresAt), cr.Services})
	}
	for _, p := range d.Deposits {
		body.Deposits = append(body.Deposits, depositJSON{p.ID, p.State, p.Reference, amountOf(p.Amount), amountOf(p.Remaining)})
	}
	for _, a := range d.Unapplied {
		body.Unapplied = append(body.Unapplied, amountOf(a))
	}
	return &accountOutput{body}, nil
}
