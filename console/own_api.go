package console

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recoup/access"
	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

// addOwnAPI is the door of an account's own people and of tokens bound to one account; and of staff and of the company's own site to an
// account's payment methods and to links into its own pages.
func (c *console) addOwnAPI(api huma.API) {
	const tag = "Own"
	huma.Get(api, "/api/own", c.apiOwn, describe("get-own", "One's own account: what is owed, what happens next, the payment methods", tag), wants(access.ReadOwn))
	huma.Get(api, "/api/own/invoices/{id}", c.apiOwnInvoice, describe("get-own-invoice", "One invoice of one's own", tag), wants(access.ReadOwn))
	if c.Own == nil {
		return
	}
	huma.Post(api, "/api/own/invoices/{id}/pay", c.apiPay, describe("pay-own-invoice", "Try to pay an invoice now", tag), wants(access.PayNow))
	huma.Post(api, "/api/own/invoices/{id}/ask-for-time", c.apiAskForTime, describe("ask-for-time", "Promise to pay all that is due until a date", tag),
		wants(access.AskForTime))
	huma.Post(api, "/api/own/methods", c.apiChangeOwnMethods, describe("change-own-methods", "Add, replace, reorder, disable or remove payment methods; backups on or off", tag),
		wants(access.ChangeMethods))
	huma.Post(api, "/api/own/portal-links", c.apiInvite, describe("invite", "A link by which another person of one's own account signs in, once", tag), wants(access.ManagePeople))
	huma.Post(api, "/api/accounts/{id}/methods", c.apiChangeMethods, describe("change-methods", "Change an account's payment methods", "Accounts"), wants(access.ChangeMethods))
	huma.Post(api, "/api/accounts/{id}/portal-links", c.apiPortalLink, describe("make-portal-link", "A link by which one person of the account signs in, once", "Accounts"),
		wants(access.OpenPortal))
}

type ownOutput struct{ Body ownJSON }

// ownJSON is one's own account.
type ownJSON struct {
	ID       billing.AccountID `json:"id"`
	Name     string            `json:"name"`
	TimeZone string            `json:"time_zone"`
	Standing billing.Standing  `json:"standing"`
	Due      []amountJSON      `json:"due" doc:"what is due now, by currency"`
	Invoices []ownInvoiceJSON  `json:"invoices" doc:"open ones first"`
	Methods  []ownMethodJSON   `json:"payment_methods" doc:"in order: the primary first"`
	Backups  bool              `json:"backups" doc:"the backups are tried when the primary was declined"`
}

type ownInvoiceJSON struct {
	ID      billing.InvoiceID    `json:"id"`
	Number  string               `json:"number"`
	State   billing.InvoiceState `json:"state"`
	Total   amountJSON           `json:"total"`
	Due     amountJSON           `json:"due"`
	DueDate string               `json:"due_date" format:"date"`
	Next    ownNextJSON          `json:"next"`
}

type ownNextJSON struct {
	What string `json:"what" doc:"in words"`
	At   string `json:"at,omitempty" format:"date-time" doc:"absent: now, or not by itself"`
}

type ownMethodJSON struct {
	ID       billing.MethodID   `json:"id"`
	Kind     billing.MethodKind `json:"kind"`
	Brand    string             `json:"brand"`
	Last4    string             `json:"last4"`
	Expiry   string             `json:"expiry,omitempty"`
	Position int                `json:"position"`
	Usable   bool               `json:"usable"`
	Why      string             `json:"why,omitempty" doc:"why it is not charged now"`
}

func ownInvoiceOf(i ownInvoice) ownInvoiceJSON {
	return ownInvoiceJSON{i.ID, i.Number, i.State, amountOf(i.Total), amountOf(i.Due), i.DueDate, ownNextJSON{i.Next.What, i.Next.At.ISO}}
}

func (c *console) apiOwn(ctx context.Context, _ *struct{}) (*ownOutput, error) {
	own, err := c.readOwn(ctx)
	if err != nil {
		return nil, c.apiError("get own", err)
	}
	d := own.Account
	body := ownJSON{ID: d.ID, Name: d.Name, TimeZone: d.TimeZone, Standing: d.Standing, Due: []amountJSON{}, Invoices: []ownInvoiceJSON{}, Methods: []ownMethodJSON{}, Backups: own.Backups}
	for _, a := range d.Due {
		body.Due = append(body.Due, amountOf(a))
	}
	for _, i := range append(own.Open, own.Past...) {
		body.Invoices = append(body.Invoices, ownInvoiceOf(i))
	}
	for n, m := range own.Methods {
		p := d.Methods[n]
		body.Methods = append(body.Methods, ownMethodJSON{p.ID, p.Kind, p.Brand, p.Last4, m.Expiry, p.Position, m.Usable, m.Why})
	}
	return &ownOutput{body}, nil
}

type ownInvoiceInput struct {
	ID string `path:"id" maxLength:"64"`
}

type ownInvoiceOutput struct {
	Body struct {
		ownInvoiceJSON
		Payments []ownPaymentJSON `json:"payments" doc:"what was tried, newest first"`
		Plan     []ownNextJSON    `json:"plan" doc:"what happens when nobody pays"`
	}
}

type ownPaymentJSON struct {
	At      time.Time            `json:"at"`
	Method  string               `json:"method" doc:"masked"`
	Amount  amountJSON           `json:"amount"`
	State   billing.AttemptState `json:"state"`
	Outcome string               `json:"outcome" doc:"in words"`
	Reason  string               `json:"reason,omitempty"`
}

func (c *console) apiOwnInvoice(ctx context.Context, in *ownInvoiceInput) (*ownInvoiceOutput, error) {
	one, err := c.readOwnInvoice(ctx, billing.InvoiceID(in.ID))
	if err != nil {
		return nil, c.apiError("get own invoice", err)
	}
	out := &ownInvoiceOutput{}
	out.Body.ownInvoiceJSON, out.Body.Payments, out.Body.Plan = ownInvoiceOf(one.ownInvoice), []ownPaymentJSON{}, []ownNextJSON{}
	for _, p := range one.Payments {
		out.Body.Payments = append(out.Body.Payments, ownPaymentJSON{p.when, p.Method, amountOf(p.amount), p.state, p.Outcome.Text, p.Reason})
	}
	for _, p := range one.Plan {
		out.Body.Plan = append(out.Body.Plan, ownNextJSON{p.Text, p.At.ISO})
	}
	return out, nil
}

type payInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128"`
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Method billing.MethodID `json:"method,omitempty" maxLength:"64" doc:"this one; without it all in order"`
	}
}

type askInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128"`
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Until time.Time `json:"until" doc:"at most 30 days ahead, unless the policy says otherwise"`
	}
}

type ownActOutput struct {
	Body struct {
		RequestID string         `json:"request_id"`
		Repeated  bool           `json:"repeated,omitempty" doc:"answered before; nothing happened now"`
		Invoice   ownInvoiceJSON `json:"invoice" doc:"as it is after"`
	}
}

func (c *console) apiPay(ctx context.Context, in *payInput) (*ownActOutput, error) {
	return c.apiOwnAct(ctx, c.Own.PayNow, store.OwnAct{Invoice: billing.InvoiceID(in.ID), RequestID: in.Key, Method: in.Body.Method})
}

func (c *console) apiAskForTime(ctx context.Context, in *askInput) (*ownActOutput, error) {
	return c.apiOwnAct(ctx, c.Own.AskForTime, store.OwnAct{Invoice: billing.InvoiceID(in.ID), RequestID: in.Key, Until: in.Body.Until.UTC()})
}

func (c *console) apiOwnAct(ctx context.Context, do func(context.Context, store.OwnAct) (billing.ResolutionAnswer, error), a store.OwnAct) (*ownActOutput, error) {
	answer, err := c.ownAct(ctx, do, a)
	if err != nil {
		return nil, c.apiError("own act", err)
	}
	one, err := c.readOwnInvoice(ctx, a.Invoice)
	if err != nil {
		return nil, c.apiError("own act", err)
	}
	out := &ownActOutput{}
	out.Body.RequestID, out.Body.Repeated, out.Body.Invoice = answer.RequestID, answer.Repeated, ownInvoiceOf(one.ownInvoice)
	return out, nil
}

// ownAct does it for who asks, under their name.
func (c *console) ownAct(ctx context.Context, do func(context.Context, store.OwnAct) (billing.ResolutionAnswer, error), a store.OwnAct) (billing.ResolutionAnswer, error) {
	account, err := ownAccount(ctx)
	if err != nil {
		return billing.ResolutionAnswer{}, err
	}
	a.Account, a.Actor = account, ownActor(ctx)
	return do(ctx, a)
}

// ownOutcomes are the states of a payment in words for customers.
var ownOutcomes = map[billing.AttemptState]badge{
	billing.AttemptIntent: {"Under way", "blue"}, billing.AttemptSent: {"Under way", "blue"}, billing.AttemptSucceeded: {"Paid", "green"},
	billing.AttemptDeclined: {"Declined", "red"}, billing.AttemptActionRequired: {"Waits for your confirmation", "amber"},
	billing.AttemptPending: {"Your bank is settling it", "blue"}, billing.AttemptUnknown: {"Being checked with your bank", "amber"},
}

// safeReason is why a payment was declined, as a customer may read it: fraud, loss and theft are never named (N3).
func safeReason(a store.AttemptView) string {
	if a.State != billing.AttemptDeclined {
		return ""
	}
	return dunning.Classify(dunning.Codes{Gateway: a.Gateway, Brand: a.Brand, DeclineCode: a.DeclineCode, AdviceCode: a.AdviceCode, NetworkCode: a.NetworkCode}).SafeReason
}

type portalLinkInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body portalLinkBody
}

type inviteInput struct{ Body portalLinkBody }

type portalLinkBody struct {
	Role access.Role `json:"role" maxLength:"40" doc:"owner, billing_manager or account_viewer"`
	Name string      `json:"name" minLength:"1" maxLength:"100" doc:"who the person is, as their acts are recorded"`
}

type portalLinkOutput struct {
	Status int
	Body   struct {
		URL     string `json:"url" doc:"shown this once; good for one sign-in"`
		Expires string `json:"expires_in" doc:"until when it must be opened" example:"15m0s"`
	}
}

func (c *console) apiPortalLink(ctx context.Context, in *portalLinkInput) (*portalLinkOutput, error) {
	return c.portalLink(ctx, billing.AccountID(in.ID), in.Body, c.actorOf(ctx))
}

func (c *console) apiInvite(ctx context.Context, in *inviteInput) (*portalLinkOutput, error) {
	account, err := ownAccount(ctx)
	if err != nil {
		return nil, c.apiError("invite", err)
	}
	return c.portalLink(ctx, account, in.Body, ownActor(ctx))
}

// actorOf is under which name somebody acts on an account: its own people as such.
func (c *console) actorOf(ctx context.Context) string {
	p := principalOf(ctx)
	switch {
	case p == nil || p.Name == "":
		return "console"
	case p.Account != "":
		return ownActor(ctx)
	}
	return p.Name
}

func (c *console) portalLink(ctx context.Context, account billing.AccountID, b portalLinkBody, actor string) (*portalLinkOutput, error) {
	secret, err := c.Store.CreatePortalLink(ctx, account, b.Role, b.Name, actor)
	if err != nil {
		return nil, c.apiError("make portal link", err)
	}
	out := &portalLinkOutput{Status: http.StatusCreated}
	out.Body.URL, out.Body.Expires = PortalURL(c.URL, secret), store.PortalLinkLife.String()
	return out, nil
}
