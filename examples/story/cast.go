package main

import (
	"fmt"
	"strings"
)

// The days of the story: bills for October 2025, due in November, so that everything is due whenever it is played. Credits that
// expire do so long after that.
const (
	period  = "2025-10-01"
	dueDate = "2025-11-14"
	settled = "2025-11-03"
	expires = "2031-08"
)

// actor collects what belongs to one account.
type actor struct {
	objects  []any
	id       string
	currency string
	methods  int
	credits  int
	deposits int
	invoices int
}

// place is where an account lives.
type place struct{ zone, locale, country, currency string }

var (
	newYork   = place{"America/New_York", "en-US", "US", "USD"}
	chicago   = place{"America/Chicago", "en-US", "US", "USD"}
	denver    = place{"America/Denver", "en-US", "US", "USD"}
	seattle   = place{"America/Los_Angeles", "en-US", "US", "USD"}
	saoPaulo  = place{"America/Sao_Paulo", "pt-BR", "BR", "USD"}
	sydney    = place{"Australia/Sydney", "en-AU", "AU", "USD"}
	kathmandu = place{"Asia/Kathmandu", "en-US", "NP", "USD"}
	berlin    = place{"Europe/Berlin", "de-DE", "DE", "EUR"}
	paris     = place{"Europe/Paris", "fr-FR", "FR", "EUR"}
	madrid    = place{"Europe/Madrid", "es-ES", "ES", "EUR"}
	dublin    = place{"Europe/Dublin", "en-IE", "IE", "EUR"}
	helsinki  = place{"Europe/Helsinki", "fi-FI", "FI", "EUR"}
	tokyo     = place{"Asia/Tokyo", "ja-JP", "JP", "JPY"}
)

// enter brings an account on stage; its id is the first word of its name, in small letters.
func enter(name string, at place, person string) *actor {
	id := strings.ToLower(strings.Fields(name)[0])
	mailbox := strings.ToLower(strings.ReplaceAll(person, " ", "."))
	return &actor{id: id, currency: at.currency, objects: []any{account{
		Kind: "account", ID: id, Name: name, TimeZone: at.zone, Locale: at.locale, Country: at.country, Policy: "demo",
		Contacts: []contact{{person, mailbox + "@" + id + ".example.com"}, {"Accounts payable", "ap@" + id + ".example.com"}},
	}}}
}

// in makes the account part of another one's organisation.
func (a *actor) in(parent string) *actor {
	top := a.objects[0].(account)
	top.Parent = parent
	a.objects[0] = top
	return a
}

// shares lets the account's credits serve its organisation (CR4).
func (a *actor) shares() *actor {
	top := a.objects[0].(account)
	top.CreditSharing = true
	a.objects[0] = top
	return a
}

// card adds a method after those before: a token of the simulated gateway, "visa 4242".
func (a *actor) card(token, looks string) *actor {
	brand, last4, _ := strings.Cut(looks, " ")
	return a.method(method{Token: token, MethodKind: "card", Brand: brand, Last4: last4, Expiry: expires})
}

// expiredCard adds a card that can't be used any more (PM2).
func (a *actor) expiredCard(looks string) *actor {
	brand, last4, _ := strings.Cut(looks, " ")
	return a.method(method{Token: "pm_card_chargeDeclinedExpiredCard", MethodKind: "card", Brand: brand, Last4: last4, Expiry: "2024-08"})
}

// bank adds a bank account, which is debited and settles later.
func (a *actor) bank(token, last4 string) *actor {
	return a.method(method{Token: token, MethodKind: "us_bank_account", Brand: "STRIPE TEST BANK", Last4: last4})
}

func (a *actor) method(m method) *actor {
	a.methods++
	m.Kind, m.Account, m.Position = "payment_method", a.id, a.methods
	m.ID = fmt.Sprintf("pm-%s-%d", a.id, a.methods)
	a.objects = append(a.objects, m)
	return a
}

// credit grants a credit; more sets what else it says.
func (a *actor) credit(amount, reason string, more func(*credit)) *actor {
	a.credits++
	c := credit{Kind: "credit", ID: fmt.Sprintf("credit-%s-%d", a.id, a.credits), Account: a.id, Amount: amount, Currency: a.currency,
		StartsOn: "2025-06-01", Reason: reason}
	if more != nil {
		more(&c)
	}
	a.objects = append(a.objects, c)
	return a
}

// until is a credit's last day and, when given, the services it is for.
func until(date string, services ...string) func(*credit) {
	return func(c *credit) { c.ExpiresOn, c.Services = date, services }
}

// funds pays money in ahead (AF1); pendingFunds has only announced it.
func (a *actor) funds(amount string) *actor { return a.deposit(amount, settled) }

func (a *actor) pendingFunds(amount string) *actor { return a.deposit(amount, "") }

func (a *actor) deposit(amount, settledOn string) *actor {
	a.deposits++
	a.objects = append(a.objects, deposit{Kind: "deposit", ID: fmt.Sprintf("deposit-%s-%d", a.id, a.deposits), Account: a.id, Amount: amount,
		Currency: a.currency, Reference: fmt.Sprintf("WIRE-%s-%d", strings.ToUpper(a.id), a.deposits), SettledOn: settledOn})
	return a
}

// owes bills the account.
func (a *actor) owes(lines ...line) *actor { return a.bill(invoice{Lines: lines}) }

// owesMarketplace bills something sold by others, which advance funds don't pay (AF2).
func (a *actor) owesMarketplace(lines ...line) *actor {
	return a.bill(invoice{Lines: lines, Marketplace: true})
}

func (a *actor) bill(i invoice) *actor {
	a.invoices++
	i.Kind, i.Account, i.Currency, i.DueDate = "invoice", a.id, a.currency, dueDate
	i.ID = fmt.Sprintf("inv-%s-%d", a.id, a.invoices)
	i.Number = fmt.Sprintf("2025-10/%s/%d", strings.ToUpper(a.id), a.invoices)
	a.objects = append(a.objects, i)
	return a
}

func usage(service, amount string) line {
	return line{Service: service, Description: service + ", October", PeriodStart: period, Amount: amount}
}

// charge is a line of another kind than usage.
func charge(kind, service, description, amount string) line {
	return line{Service: service, ChargeKind: kind, Description: description, PeriodStart: period, Amount: amount}
}
