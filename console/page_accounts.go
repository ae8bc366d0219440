package console

import (
	"fmt"
	"net/http"
	"net/url"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

type accountsContent struct {
	Chips    []chip
	Filter   store.AccountFilter
	Rows     []accountLine
	More     string
	First    string
	Filtered bool
}

type accountLine struct {
	store.AccountView
	Badge badge
}

func (c *console) accounts(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := store.AccountFilter{Search: q.Get("q"), Standing: billing.Standing(q.Get("standing")), After: q.Get("after")}
	if len(f.Search) > 100 {
		f.Search = f.Search[:100]
	}
	list, err := c.Store.ListAccounts(r.Context(), f)
	if err != nil {
		return err
	}
	content := accountsContent{Filter: f, Filtered: f.Search != "" || f.Standing != ""}
	for _, a := range list.Accounts {
		content.Rows = append(content.Rows, accountLine{a, standingBadges[a.Standing]})
	}
	link := func(standing billing.Standing, after string) string {
		v := url.Values{}
		for name, value := range map[string]string{"q": f.Search, "standing": string(standing), "after": after} {
			if value != "" {
				v.Set(name, value)
			}
		}
		if len(v) == 0 {
			return "/accounts"
		}
		return "/accounts?" + v.Encode()
	}
	content.Chips = []chip{{Text: "All", Link: link("", ""), Current: f.Standing == "", Count: -1}}
	for _, s := range []billing.Standing{billing.StandingActive, billing.StandingSuspended, billing.StandingClosed} {
		content.Chips = append(content.Chips, chip{Text: standingBadges[s].Text, Tone: standingBadges[s].Tone, Link: link(s, ""), Current: f.Standing == s, Count: -1})
	}
	if list.Next != "" {
		content.More = link(f.Standing, list.Next)
	}
	if f.After != "" {
		content.First = link(f.Standing, "")
	}
	c.render(w, r, http.StatusOK, "accounts.html", view{Title: "Accounts", Nav: "accounts", Content: content})
	return nil
}

type accountContent struct {
	Account   store.AccountDetail
	Badge     badge
	Over      []badge // what people decided about the account as a whole
	Invoices  []invoiceRow
	Methods   []methodRow
	Credits   []creditRow
	Deposits  []depositRow
	Unapplied []money.Amount
	Notices   []noticeRow
	Tasks     []taskRow
	Local     moment
	Forms     *resolveForms
	Change    *methodForms
	Done      *doneNote
	Audit     *auditLog
}

type invoiceRow struct {
	store.InvoiceView
	Badge badge
	Stage badge
	Over  []badge // what lies over the stage
	Path  string
	At    moment
}

type creditRow struct {
	billing.Credit
	Badge badge
	Usage string
}

type depositRow struct {
	store.DepositView
	Badge badge
}

func (c *console) showAccount(w http.ResponseWriter, r *http.Request) error {
	id := billing.AccountID(r.PathValue("account"))
	if billing.CheckID(string(id)) != nil {
		return billing.Refuse(billing.RefusedNotFound, "", "There is no such account.")
	}
	d, err := c.Store.FindAccount(r.Context(), id)
	if err != nil {
		return err
	}
	content := c.accountContent(d)
	content.Forms = c.accountForms(w, r, d)
	content.Change = c.methodForms(w, r, d)
	content.Done = doneNoteOf(d.Resolutions, r.URL.Query().Get("done"))
	return c.renderAccount(w, r, http.StatusOK, content)
}

func (c *console) accountContent(d store.AccountDetail) accountContent {
	content := accountContent{
		Account: d, Badge: standingBadges[d.Standing], Methods: c.methodRows(d.Methods, anyCurrency), Unapplied: d.Unapplied,
		Tasks: c.taskRows(d.Tasks), Local: c.moment(c.Now(), d.TimeZone, false),
	}
	if d.HeldUntil.After(c.Now()) {
		content.Over = append(content.Over, badge{"On hold until " + c.moment(d.HeldUntil, d.TimeZone, false).Text, "violet"})
	}
	if d.NeverSuspendUntil.After(c.Now()) {
		content.Over = append(content.Over, badge{"Not suspended before " + c.moment(d.NeverSuspendUntil, d.TimeZone, false).Text, "blue"})
	}
	for _, i := range d.Invoices {
		row := invoiceRow{InvoiceView: i, Badge: c.invoiceBadge(i), Path: casePath(i.Case), At: c.moment(i.DueAt, d.TimeZone, false)}
		if i.CaseStage != "" && i.State == billing.InvoiceOpen {
			row.Stage, row.Over = stageBadge(dunning.Stage(i.CaseStage), ""), c.decidedBadges(i.HeldUntil, i.PromisedUntil, i.Disputed)
		}
		content.Invoices = append(content.Invoices, row)
	}
	for _, cr := range d.Credits {
		content.Credits = append(content.Credits, c.creditRow(cr))
	}
	for _, dep := range d.Deposits {
		content.Deposits = append(content.Deposits, depositRow{dep, depositBadges[dep.State]})
	}
	content.Notices = c.groupNotices(d.Notices)
	return content
}

func (c *console) renderAccount(w http.ResponseWriter, r *http.Request, status int, content accountContent) (err error) {
	d := content.Account
	if content.Audit, err = c.auditOf(r, store.AuditFilter{Account: d.ID}, d.TimeZone); err != nil {
		return err
	}
	c.render(w, r, status, "account.html", view{
		Title: d.Name, Nav: "accounts", Content: content,
		Summary: fmt.Sprintf("%s: %s, %d open invoices", d.ID, content.Badge.Text, d.OpenInvoices),
	})
	return nil
}

// invoiceBadge says of an open invoice whether it is due.
func (c *console) invoiceBadge(i store.InvoiceView) badge {
	if i.State != billing.InvoiceOpen {
		return outcomeBadges[i.State]
	}
	if i.DueAt.After(c.Now()) {
		return badge{"Not due yet", "grey"}
	}
	return badge{"Due", "orange"}
}

func (c *console) creditRow(cr billing.Credit) creditRow {
	row := creditRow{Credit: cr, Badge: badge{"Usable", "green"}}
	switch {
	case !cr.Enabled:
		row.Badge = badge{"Disabled", "grey"}
	case !cr.Remaining.IsPositive():
		row.Badge = badge{"Used up", "grey"}
	case !cr.ExpiresAt.IsZero() && !cr.ExpiresAt.After(c.Now()):
		row.Badge = badge{"Expired", "red"}
	case cr.StartsOn.After(c.Now()):
		row.Badge = badge{"Not started", "blue"}
	}
	return row
}

var depositBadges = map[billing.DepositState]badge{
	billing.DepositPending:  {"Awaiting the money", "amber"},
	billing.DepositSettled:  {"Settled", "green"},
	billing.DepositReturned: {"Returned", "red"},
}
