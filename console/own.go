package console

import (
	"context"
	"strings"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// OwnActs carries out what an account's own people do, and what staff do to an account's payment methods, each in one transaction; the
// store is one. A *billing.Refusal is in words for customers. The same request id again returns the first answer (R2).
type OwnActs interface {
	PayNow(ctx context.Context, a store.OwnAct) (billing.ResolutionAnswer, error)
	AskForTime(ctx context.Context, a store.OwnAct) (billing.ResolutionAnswer, error)
	ChangeMethods(ctx context.Context, c billing.MethodChange) (billing.MethodsAnswer, error)
}

// errNotOwn answers who asks for their own things and has no account: staff, and tokens for all accounts.
var errNotOwn = billing.Refuse(billing.RefusedNotFound, "", "These are an account's own pages. You are signed in for all accounts: look at /accounts.")

// ownAccount is the account that who asks is bound to.
func ownAccount(ctx context.Context) (billing.AccountID, error) {
	p := principalOf(ctx)
	if p == nil || p.Account == "" {
		return "", errNotOwn
	}
	return p.Account, nil
}

// ownActor is the name that a customer's act is recorded under: nobody takes them for one of the staff.
func ownActor(ctx context.Context) string {
	p := principalOf(ctx)
	switch {
	case p == nil:
		return ""
	case p.Token():
		return p.Name
	}
	return p.Name + " (customer)"
}

// ownThing is one's own account, invoice or method as doors show it: nothing of it is staff's.
type ownThing struct {
	Account  store.AccountDetail
	Due      []string
	Open     []ownInvoice
	Past     []ownInvoice
	Methods  []ownMethod
	Backups  bool
	MayPay   bool
	MayAsk   bool
	MayOrder bool
}

// ownInvoice is one invoice of one's own with what happens next.
type ownInvoice struct {
	store.InvoiceView
	Badge badge
	Path  string
	Next  ownNext
}

// ownNext says what happens next, when, in the words and dates that staff read.
type ownNext struct {
	What string
	At   moment
	Now  bool
}

// ownMethod is one payment method as its owner reads it.
type ownMethod struct {
	methodRow
	Off    bool   // switched off by a person
	Why    string // why it isn't charged now, after "This method …"
	Raised string // the order with this method one place further up, comma between the ids; "" for the first
}

// readOwn reads one's own account with everything that its page shows.
func (c *console) readOwn(ctx context.Context) (ownThing, error) {
	id, err := ownAccount(ctx)
	if err != nil {
		return ownThing{}, err
	}
	d, err := c.Store.FindAccount(ctx, id)
	if err != nil {
		return ownThing{}, err
	}
	out := ownThing{Account: d, Backups: !d.BackupsOff}
	may := func(a access.Action) bool { return c.Own != nil && c.may(ctx, a, id) == nil }
	out.MayPay, out.MayAsk, out.MayOrder = may(access.PayNow), may(access.AskForTime), may(access.ChangeMethods)
	for _, a := range d.Due {
		out.Due = append(out.Due, c.money(a))
	}
	live, err := c.Store.LiveCasesOf(ctx, id)
	if err != nil {
		return out, err
	}
	for _, i := range d.Invoices {
		one := c.ownInvoice(i, live[i.Case])
		if i.State == billing.InvoiceOpen {
			out.Open = append(out.Open, one)
		} else if len(out.Past) < 20 {
			out.Past = append(out.Past, one)
		}
	}
	out.Methods = c.ownMethods(d.Methods)
	return out, nil
}

// ownInvoice adds what happens next to an invoice and its newest case.
func (c *console) ownInvoice(i store.InvoiceView, v store.CaseView) ownInvoice {
	out := ownInvoice{InvoiceView: i, Badge: c.invoiceBadge(i), Path: "/own/invoices/" + string(i.ID)}
	switch {
	case i.State != billing.InvoiceOpen:
		out.Next.What = "Nothing more: it is " + invoiceWords(i.State)
	case i.Case == "":
		out.Next = ownNext{What: "It is collected", At: c.moment(i.CollectAt, i.TimeZone, false)}
	case v.ID != "":
		out.Next = c.ownNext(v)
	}
	return out
}

// ownNext is nextPanel for customers: the same title and date. What a person of ours is asked is not told, because the reason may name
// what a customer must not read (N3).
func (c *console) ownNext(v store.CaseView) ownNext {
	p := c.nextPanel(v)
	out := ownNext{What: p.Title, At: p.At, Now: p.Now}
	switch {
	case !v.FinishedAt.IsZero():
		out.What = "Nothing more: it is " + invoiceWords(v.Outcome)
	case v.Attempt == billing.AttemptActionRequired:
		out = ownNext{What: "We wait until you confirm the payment with your bank"}
	case v.Attempt == billing.AttemptPending:
		out = ownNext{What: "We wait until your bank has settled the debit"}
	case v.Attempt == billing.AttemptUnknown:
		out = ownNext{What: "We are finding out what became of the last payment; nothing else is charged meanwhile"}
	case v.Next.Do == "wait" && v.Next.At.IsZero() && v.Next.Why == waitsForMoney:
		out.What = "Nothing is charged by itself any more: please pay"
	case v.Next.Do == "wait" && v.Next.At.IsZero():
		out.What = "We are looking at this invoice"
	case v.Next.Do == "wait" && v.Next.Then == "" && v.PromisedUntil.After(c.Now()):
		out.What = "The time you asked for ends"
	case v.Next.Do == "wait" && v.Next.Then == "" && !v.Next.Held:
		out.What = "We look at this invoice again"
	}
	return out
}

// waitsForMoney is what dunning says of a case that no date moves.
const waitsForMoney = "money, or a person's decision"

func (c *console) ownMethods(methods []billing.PaymentMethod) []ownMethod {
	rows := c.methodRows(methods, anyCurrency)
	ids := make([]string, len(methods))
	for n, m := range methods {
		ids[n] = string(m.ID)
	}
	var out []ownMethod
	for n, m := range methods {
		own := ownMethod{methodRow: rows[n], Off: m.State == billing.MethodDisabled}
		if !own.Usable {
			own.Why = store.SkipInOwnWords(m.Skip(c.Now(), anyCurrency))
			own.State.Text = "Not charged now"
		}
		if n > 0 {
			raised := append([]string(nil), ids...)
			raised[n-1], raised[n] = raised[n], raised[n-1]
			own.Raised = strings.Join(raised, ",")
		}
		out = append(out, own)
	}
	return out
}
