package console

import (
	"context"
	"crypto/rand"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

var ownPageNames = []string{"own.html", "own_invoice.html", "own_error.html", "portal.html"}

// parseOwnPages adds the pages of customers: they have a frame of their own, without a way into staff's pages.
func (c *console) parseOwnPages(pages map[string]*pageTemplate) {
	frame, err := templateFiles.ReadFile("templates/own_layout.html")
	if err != nil {
		panic(err) // the files are part of the binary
	}
	base := template.Must(template.New("layout.html").Funcs(c.functions()).Parse(string(frame)))
	base = template.Must(base.ParseFS(templateFiles, "templates/parts.html", "templates/method_forms.html"))
	for _, name := range ownPageNames {
		pages[name] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, "templates/"+name))
	}
}

func (c *console) ownRoutes() []route {
	all := []route{
		{"GET /own", access.ReadOwn, c.showOwn},
		{"GET /own/invoices/{invoice}", access.ReadOwn, c.showOwnInvoice},
	}
	if c.Own == nil {
		return all
	}
	return append(all,
		route{"GET /portal/{secret}", access.Public, c.showPortal},
		route{"POST /portal/{secret}", access.Public, c.openPortal},
		route{"POST /own/invoices/{invoice}/pay", access.PayNow, c.payOwn},
		route{"POST /own/invoices/{invoice}/ask-for-time", access.AskForTime, c.askForTime},
		route{"POST /own/methods", access.ChangeMethods, c.changeOwnMethods},
		route{"POST /accounts/{account}/methods", access.ChangeMethods, c.changeAccountMethods},
	)
}

// ownContent is the page of one's own account.
type ownContent struct {
	ownThing
	Change  *methodForms
	Problem string
	Done    string
}

func (c *console) showOwn(w http.ResponseWriter, r *http.Request) error {
	return c.renderOwn(w, r, http.StatusOK, "", r.URL.Query().Get("done"))
}

func (c *console) renderOwn(w http.ResponseWriter, r *http.Request, status int, problem, done string) error {
	own, err := c.readOwn(r.Context())
	if err != nil {
		return err
	}
	content := ownContent{ownThing: own, Problem: problem, Done: ownDone[done]}
	if own.MayOrder {
		content.Change = &methodForms{Action: "/own/methods", Token: c.formToken(w, r), RequestID: "own-" + rand.Text(), Methods: own.Methods, Backups: own.Backups, Own: true}
	}
	c.render(w, r, status, "own.html", view{Title: own.Account.Name, Content: content})
	return nil
}

// ownDone are what a page may say was done; the address only names which.
var ownDone = map[string]string{
	"methods": "Your payment methods are changed.", "pay": "We are trying to pay it now. This page shows what became of it.",
	"time": "Noted: nothing is charged before that day and one more has passed.",
}

// ownInvoicePage is the page of one invoice of one's own.
type ownInvoicePage struct {
	ownInvoice
	Zone     string
	Sources  []source
	Plan     []planned
	Payments []ownPayment
	Methods  []ownMethod
	MayPay   bool
	MayAsk   bool
	Promised bool // they asked for time, which paying now ends

	Token, RequestID   string
	Problem, Field     string
	Done               string
	First, Last, Until string
	Limits             dunning.Limits // of the case's policy
	Refresh            bool
}

// ownPayment is one payment that was tried.
type ownPayment struct {
	At      moment
	Method  string
	Amount  string
	Outcome badge
	Reason  string

	when   time.Time
	amount money.Amount
	state  billing.AttemptState
}

// readOwnInvoice reads an invoice of who asks with what its page shows; another's is as one that isn't there (I19).
func (c *console) readOwnInvoice(ctx context.Context, id billing.InvoiceID) (ownInvoicePage, error) {
	account, err := ownAccount(ctx)
	if err != nil {
		return ownInvoicePage{}, err
	}
	i, err := c.Store.OwnInvoice(ctx, account, id)
	if err != nil {
		return ownInvoicePage{}, err
	}
	if i == nil {
		return ownInvoicePage{}, billing.Refuse(billing.RefusedNotFound, "", "There is no such thing here.")
	}
	open := i.State == billing.InvoiceOpen && c.Own != nil
	out := ownInvoicePage{Zone: i.TimeZone, Limits: dunning.DefaultLimits(), MayPay: open && c.may(ctx, access.PayNow, account) == nil, MayAsk: open && c.may(ctx, access.AskForTime, account) == nil}
	if i.Case == "" {
		out.ownInvoice = c.ownInvoice(*i, store.CaseView{})
		return out, nil
	}
	d, err := c.Store.FindCase(ctx, i.Case)
	if err != nil {
		return out, err
	}
	out.ownInvoice, out.Sources = c.ownInvoice(*i, d.CaseView), sourcesOf(d)
	out.Limits = d.Limits
	out.MayAsk = out.MayAsk && d.Limits.PromiseDays > 0 && d.Limits.PromisesPerInvoice > 0
	out.Plan, out.Methods = c.plan(d, d.Dates), c.ownMethods(d.Methods)
	if d.Attempt != "" || d.HeldUntil.After(c.Now()) {
		out.Plan = nil // these dates would not be kept
	}
	out.Promised = !d.PromisedUntil.IsZero()
	out.MayAsk = out.MayAsk && !out.Promised
	for n := len(d.Attempts) - 1; n >= 0; n-- {
		a := d.Attempts[n]
		outcome, told := ownOutcomes[a.State]
		if !told {
			continue
		}
		out.Payments = append(out.Payments, ownPayment{At: c.moment(a.CreatedAt, i.TimeZone, false), Method: methodName(a.Masked), Amount: c.money(a.Amount),
			Outcome: outcome, Reason: safeReason(a), when: a.CreatedAt.UTC(), amount: a.Amount, state: a.State})
	}
	return out, nil
}

func (c *console) showOwnInvoice(w http.ResponseWriter, r *http.Request) error {
	return c.renderOwnInvoice(w, r, http.StatusOK, nil)
}

func (c *console) renderOwnInvoice(w http.ResponseWriter, r *http.Request, status int, refusal *billing.Refusal) error {
	page, err := c.readOwnInvoice(r.Context(), billing.InvoiceID(r.PathValue("invoice")))
	if err != nil {
		return err
	}
	now := c.Now().In(zoneOf(page.Zone))
	page.Token, page.RequestID = c.formToken(w, r), "own-"+rand.Text()
	days := func(n int) string { return now.AddDate(0, 0, n).Format(time.DateOnly) }
	page.First, page.Last, page.Until = days(1), days(page.Limits.PromiseDays-1), days(max(1, min(7, page.Limits.PromiseDays-1)))
	page.Done = ownDone[r.URL.Query().Get("done")]
	page.Refresh = page.Done != "" && page.State == billing.InvoiceOpen && page.Next.Now
	if refusal != nil {
		page.Problem, page.Field, page.RequestID = nameMethods(refusal.Message), refusal.Field, r.PostFormValue("request_id")
		if until := r.PostFormValue("until"); until != "" {
			page.Until = until
		}
	}
	c.render(w, r, status, "own_invoice.html", view{Title: page.Number, Content: page})
	return nil
}

func (c *console) payOwn(w http.ResponseWriter, r *http.Request) error {
	return c.ownForm(w, r, "pay", func(a *store.OwnAct) error {
		a.Method = billing.MethodID(r.PostForm.Get("method"))
		return nil
	}, c.Own.PayNow)
}

func (c *console) askForTime(w http.ResponseWriter, r *http.Request) error {
	return c.ownForm(w, r, "time", func(a *store.OwnAct) error {
		i, err := c.Store.OwnInvoice(r.Context(), principalOf(r.Context()).Account, a.Invoice)
		if err != nil || i == nil {
			return errors.Join(err, errNoPage)
		}
		// The end of that day, where the account is.
		day, err := time.ParseInLocation(time.DateOnly, r.PostForm.Get("until"), zoneOf(i.TimeZone))
		if err != nil {
			return billing.Refuse(billing.RefusedInvalid, "until", "Give a day, such as 2026-11-30.")
		}
		a.Until = day.AddDate(0, 0, 1).Add(-time.Second).UTC()
		return nil
	}, c.Own.AskForTime)
}

// ownForm takes a form of an invoice's page; a refusal shows the page again with what was typed.
func (c *console) ownForm(w http.ResponseWriter, r *http.Request, done string, fill func(*store.OwnAct) error,
	do func(context.Context, store.OwnAct) (billing.ResolutionAnswer, error)) error {
	if err := r.ParseForm(); err != nil {
		return billing.Refuse(billing.RefusedInvalid, "", "The form can't be read: %v", err)
	}
	if err := checkToken(r); err != nil {
		return err
	}
	if _, err := ownAccount(r.Context()); err != nil {
		return err
	}
	a := store.OwnAct{Invoice: billing.InvoiceID(r.PathValue("invoice")), RequestID: r.PostForm.Get("request_id")}
	err := fill(&a)
	if err == nil {
		_, err = c.ownAct(r.Context(), do, a)
	}
	var refusal *billing.Refusal
	if errors.As(err, &refusal) {
		return c.renderOwnInvoice(w, r, problemOf(refusal).status, refusal)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/own/invoices/"+url.PathEscape(string(a.Invoice))+"?done="+done, http.StatusSeeOther)
	return nil
}

// PortalURL is the address of a link by which a person of an account signs in.
func PortalURL(console, secret string) string {
	return strings.TrimSuffix(console, "/") + "/portal/" + secret
}

// showPortal shows a button and uses nothing up: programs that look at links before people do only read pages.
func (c *console) showPortal(w http.ResponseWriter, r *http.Request) error {
	c.render(w, r, http.StatusOK, "portal.html", view{Title: "Your invoices", Content: struct{ Token string }{c.formToken(w, r)}})
	return nil
}

// openPortal signs the person in whom the link was made for, once.
func (c *console) openPortal(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return billing.Refuse(billing.RefusedInvalid, "", "The form can't be read: %v", err)
	}
	if err := checkToken(r); err != nil {
		return err
	}
	in, err := c.Store.UsePortalLink(r.Context(), r.PathValue("secret"))
	if err != nil {
		return err
	}
	if in == nil {
		return billing.Refuse(billing.RefusedNotFound, "", "This link was used already, or is too old. Ask for a new one where you found it.")
	}
	in.Address = addressOf(r)
	return c.beginSession(w, r, *in, "/own")
}
