package intake

import (
	"fmt"
	"time"

	"recoup/billing"
	"recoup/money"
)

// The objects of JSON Lines as they stand in the file. docs/import.schema.json describes the same; a test keeps them together.

type accountObject struct {
	Kind          string          `json:"kind"`
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	Parent        string          `json:"parent"`
	TimeZone      string          `json:"time_zone"`
	Locale        string          `json:"locale"`
	Country       string          `json:"country"`
	Plan          string          `json:"plan"`
	Policy        string          `json:"policy"`
	CreditSharing bool            `json:"credit_sharing"`
	Contacts      []contactObject `json:"contacts"`
}

type contactObject struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

type methodObject struct {
	Kind          string             `json:"kind"`
	ID            string             `json:"id"`
	Account       string             `json:"account"`
	Gateway       string             `json:"gateway"`
	Token         string             `json:"token"`
	CustomerToken string             `json:"customer_token"`
	MethodKind    billing.MethodKind `json:"method_kind"`
	Brand         string             `json:"brand"`
	Last4         string             `json:"last4"`
	Expiry        string             `json:"expiry"`
	Currency      string             `json:"currency"`
	Position      int                `json:"position"`
}

type creditObject struct {
	Kind          string               `json:"kind"`
	ID            string               `json:"id"`
	Account       string               `json:"account"`
	Amount        string               `json:"amount"`
	Currency      string               `json:"currency"`
	StartsOn      string               `json:"starts_on"`
	ExpiresOn     string               `json:"expires_on"`
	Services      []string             `json:"services"`
	IncludedKinds []billing.ChargeKind `json:"included_kinds"`
	Reason        string               `json:"reason"`
}

type depositObject struct {
	Kind      string `json:"kind"`
	ID        string `json:"id"`
	Account   string `json:"account"`
	Amount    string `json:"amount"`
	Currency  string `json:"currency"`
	Reference string `json:"reference"`
	SettledOn string `json:"settled_on"`
}

type invoiceObject struct {
	Kind        string       `json:"kind"`
	ID          string       `json:"id"`
	Number      string       `json:"number"`
	Account     string       `json:"account"`
	DueDate     string       `json:"due_date"`
	Currency    string       `json:"currency"`
	Total       string       `json:"total"`
	Marketplace bool         `json:"marketplace"`
	Lines       []lineObject `json:"lines"`
}

type lineObject struct {
	Service     string             `json:"service"`
	ChargeKind  billing.ChargeKind `json:"charge_kind"`
	Description string             `json:"description"`
	PeriodStart string             `json:"period_start"`
	Amount      string             `json:"amount"`
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func (f fields) account(o accountObject) {
	o.TimeZone, o.Locale = orElse(o.TimeZone, DefaultZone), orElse(o.Locale, DefaultLocale)
	f.id("id", o.ID)
	f.once(f.line, f.kind, o.ID)
	f.requiredText("name", o.Name, textMax)
	f.optionalID("parent", o.Parent)
	if o.Parent != "" && o.Parent == o.ID {
		f.bad("parent", "must be another account")
	}
	f.zone("time_zone", o.TimeZone)
	f.locale("locale", o.Locale)
	f.country("country", o.Country)
	f.plan("plan", o.Plan)
	f.policy("policy", o.Policy)
	f.batch.Accounts = append(f.batch.Accounts, billing.BatchAccount{
		Line: f.line,
		Account: billing.Account{
			ID: billing.AccountID(o.ID), Name: o.Name, ParentID: billing.AccountID(o.Parent), TimeZone: o.TimeZone, Locale: o.Locale,
			Country: o.Country, Plan: o.Plan, Policy: o.Policy, CreditSharing: o.CreditSharing, Standing: billing.StandingActive,
		},
		Contacts: f.contacts(billing.AccountID(o.ID), o.Contacts),
	})
}

func (f fields) method(o methodObject) {
	f.id("id", o.ID)
	f.once(f.line, f.kind, o.ID)
	f.id("account", o.Account)
	o.Gateway = orElse(o.Gateway, gateways[0])
	oneOf(f, "gateway", o.Gateway, gateways...)
	f.required("token", o.Token)
	f.token("token", o.Token)
	f.token("customer_token", o.CustomerToken)
	if f.required("method_kind", string(o.MethodKind)) {
		oneOf(f, "method_kind", o.MethodKind, billing.MethodCard, billing.MethodUSBankAccount, billing.MethodSEPADebit)
	}
	f.text("brand", o.Brand, textMax)
	if !last4Shape.MatchString(o.Last4) {
		f.bad("last4", "must be at most four letters or digits")
	}
	month, year := f.expiry("expiry", o.Expiry)
	if o.Currency == "" {
		o.Currency = billing.DebitCurrency(o.MethodKind)
	} else {
		f.currency("currency", o.Currency)
	}
	if o.Position < 0 || o.Position > 100 {
		f.bad("position", "must be 1 (the primary) to 100")
	}
	f.batch.Methods = append(f.batch.Methods, billing.BatchMethod{Line: f.line, Method: billing.PaymentMethod{
		ID: billing.MethodID(o.ID), AccountID: billing.AccountID(o.Account), Gateway: o.Gateway, Token: o.Token,
		CustomerToken: o.CustomerToken, Kind: o.MethodKind, Brand: o.Brand, Last4: o.Last4, ExpiryMonth: month, ExpiryYear: year,
		Currency: o.Currency, Position: o.Position, State: billing.MethodActive,
	}})
}

func (f fields) credit(o creditObject) {
	f.id("id", o.ID)
	f.once(f.line, f.kind, o.ID)
	f.id("account", o.Account)
	c := f.currency("currency", o.Currency)
	amount := f.positiveAmount("amount", o.Amount, c)
	starts := f.date("starts_on", o.StartsOn)
	if o.ExpiresOn != "" {
		if ends := f.date("expires_on", o.ExpiresOn); ends.Before(starts) {
			f.bad("expires_on", "is before starts_on")
		}
	}
	if len(o.Services) > ServicesMax {
		f.bad("services", "must be at most %d", ServicesMax)
	}
	for i, s := range o.Services {
		f.requiredText(fmt.Sprintf("services[%d]", i), s, textMax)
	}
	for i, k := range o.IncludedKinds {
		oneOf(f, fmt.Sprintf("included_kinds[%d]", i), k, excludedKinds...)
	}
	f.text("reason", o.Reason, longTextMax)
	f.batch.Credits = append(f.batch.Credits, billing.BatchCredit{Line: f.line, ExpiresOn: o.ExpiresOn, Credit: billing.Credit{
		ID: billing.CreditID(o.ID), AccountID: billing.AccountID(o.Account), Enabled: true, Granted: amount, Remaining: amount,
		StartsOn: starts, Services: o.Services, IncludedKinds: o.IncludedKinds, Reason: o.Reason,
	}})
}

func (f fields) deposit(o depositObject) {
	f.id("id", o.ID)
	f.once(f.line, f.kind, o.ID)
	f.id("account", o.Account)
	c := f.currency("currency", o.Currency)
	amount := f.positiveAmount("amount", o.Amount, c)
	f.requiredText("reference", o.Reference, textMax)
	state := billing.DepositPending
	if o.SettledOn != "" {
		f.date("settled_on", o.SettledOn)
		state = billing.DepositSettled
	}
	f.batch.Deposits = append(f.batch.Deposits, billing.BatchDeposit{Line: f.line, SettledOn: o.SettledOn, Deposit: billing.Deposit{
		ID: billing.DepositID(o.ID), AccountID: billing.AccountID(o.Account), State: state, Reference: o.Reference,
		Amount: amount, Remaining: amount,
	}})
}

func (f fields) invoice(o invoiceObject) {
	f.id("id", o.ID)
	f.once(f.line, f.kind, o.ID)
	f.text("number", o.Number, textMax)
	f.id("account", o.Account)
	f.date("due_date", o.DueDate)
	c := f.currency("currency", o.Currency)
	lines := f.invoiceLines(o.Lines, c)
	total := f.total(o.Total, lines, c)
	f.batch.Invoices = append(f.batch.Invoices, billing.BatchInvoice{Line: f.line, Invoice: billing.Invoice{
		ID: billing.InvoiceID(o.ID), Number: orElse(o.Number, o.ID), AccountID: billing.AccountID(o.Account),
		State: billing.InvoiceOpen, DueDate: o.DueDate, Total: total, Allocated: money.Zero(c), Marketplace: o.Marketplace, Lines: lines,
	}})
}

func (f fields) invoiceLines(objects []lineObject, c money.Currency) []billing.Line {
	if len(objects) == 0 || len(objects) > InvoiceLinesMax {
		f.bad("lines", "must be 1 to %d", InvoiceLinesMax)
		return nil
	}
	lines := make([]billing.Line, len(objects))
	for i, o := range objects {
		at := func(field string) string { return fmt.Sprintf("lines[%d].%s", i, field) }
		f.requiredText(at("service"), o.Service, textMax)
		o.ChargeKind = billing.ChargeKind(orElse(string(o.ChargeKind), string(billing.ChargeUsage)))
		oneOf(f, at("charge_kind"), o.ChargeKind, chargeKinds...)
		f.text(at("description"), o.Description, longTextMax)
		var period time.Time
		if o.PeriodStart == "" {
			f.bad(at("period_start"), "must be given")
		} else {
			period = f.date(at("period_start"), o.PeriodStart)
		}
		lines[i] = billing.Line{Position: i + 1, Service: o.Service, ChargeKind: o.ChargeKind, Description: o.Description,
			PeriodStart: period, Amount: f.amount(at("amount"), o.Amount, c)}
	}
	return lines
}

// total adds the lines up; where the file gives a total they must agree.
func (f fields) total(given string, lines []billing.Line, c money.Currency) money.Amount {
	sum := money.Zero(c)
	for _, l := range lines {
		var err error
		if sum, err = sum.Add(l.Amount); err != nil {
			f.bad("lines", "do not add up: %v", err)
			return money.Zero(c)
		}
	}
	if sum.IsNegative() {
		f.bad("lines", "add up to %s: an invoice is never below zero, give a credit instead", sum)
	}
	if given != "" && c != (money.Currency{}) {
		if total := f.amount("total", given, c); total != sum {
			f.bad("total", "is %s, but the lines add up to %s", total, sum)
		}
	}
	return sum
}
