package crash

import (
	"cmp"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/money"
)

// story is one course that a case can take. Its account's id, which it is told with, is the subject of its crashes.
type story struct {
	name  string
	lines func(id string) []string
	// people is what staff, customers and banks do meanwhile; nil: nothing.
	people func(p *play) error
	// later is a query on account $1 that is false until news from outside has come; "": there is none.
	later string
	ends  ending
}

// Tokens of the simulated gateway (gateway/stripesim/README.md).
const (
	pays     = "pm_card_visa"
	paysToo  = "pm_card_mastercard"
	noMoney  = "pm_card_visa_chargeDeclinedInsufficientFunds"
	lostCard = "pm_card_visa_chargeDeclinedLostCard"
)

// owed is what every invoice here is for: 50.00, or 5000 yen.
const owed = 5000

type lines []string

// of begins an account with one invoice of 50.00 that is due.
func of(id, policy, zone string) lines {
	return lines{
		fmt.Sprintf(`{"kind":"account","id":%q,"name":"Account %[1]s","time_zone":%q,"policy":%q,"contacts":[{"name":"Someone","email":"someone@%[1]s.example.com"}]}`, id, zone, policy),
		fmt.Sprintf(`{"kind":"invoice","id":"%s.1","number":"2025-10/%[1]s","account":%[1]q,"due_date":"2025-11-14","currency":"USD","lines":[{"service":"Compute","period_start":"2025-10-01","amount":"50.00"}]}`, id),
	}
}

func demo(id string) lines { return of(id, "demo", "UTC") }

// standard counts in days, so that nothing happens by itself; it is noon where the account lives.
func standard(id string) lines {
	offset := 12 - time.Now().UTC().Hour()
	zone := fmt.Sprintf("Etc/GMT%+d", -offset)
	if offset == 0 {
		zone = "UTC"
	}
	return of(id, "standard", zone)
}

func (l lines) card(id string, position int, token string) lines {
	return append(l, fmt.Sprintf(`{"kind":"payment_method","id":"%s.m%d","account":%[1]q,"token":%[3]q,"method_kind":"card","brand":"visa","last4":"4242","expiry":"2031-08","position":%[2]d}`, id, position, token))
}

func (l lines) bank(id string, position int, token string) lines {
	return append(l, fmt.Sprintf(`{"kind":"payment_method","id":"%s.m%d","account":%[1]q,"token":%[3]q,"method_kind":"us_bank_account","last4":"6789","currency":"USD","position":%[2]d}`, id, position, token))
}

func (l lines) credit(id, amount string) lines {
	return append(l, fmt.Sprintf(`{"kind":"credit","id":"%s.c","account":%[1]q,"amount":%[2]q,"currency":"USD","starts_on":"2025-01-01"}`, id, amount))
}

func (l lines) funds(id, amount string) lines {
	return append(l, fmt.Sprintf(`{"kind":"deposit","id":"%s.d","account":%[1]q,"amount":%[2]q,"currency":"USD","reference":"WIRE-%[1]s","settled_on":"2025-11-10"}`, id, amount))
}

// cards is a demo account with these cards in order.
func cards(tokens ...string) func(string) []string {
	return func(id string) []string {
		l := demo(id)
		for n, token := range tokens {
			l = l.card(id, n+1, token)
		}
		return l
	}
}

// standardCards is the same in days.
func standardCards(tokens ...string) func(string) []string {
	return func(id string) []string {
		l := standard(id)
		for n, token := range tokens {
			l = l.card(id, n+1, token)
		}
		return l
	}
}

func yen(id string) []string {
	return lines{
		fmt.Sprintf(`{"kind":"account","id":%q,"name":"Account %[1]s","policy":"demo","locale":"ja-JP","contacts":[{"name":"Someone","email":"someone@%[1]s.example.com"}]}`, id),
		fmt.Sprintf(`{"kind":"invoice","id":"%s.1","number":"2025-10/%[1]s","account":%[1]q,"due_date":"2025-11-14","currency":"JPY","lines":[{"service":"Compute","period_start":"2025-10-01","amount":"5000"}]}`, id),
	}.card(id, 1, "pm_card_jcb")
}

// paid is the end of an invoice that was paid, with what is said of it.
func paid(e ending) ending {
	e.Cases, e.Standing, e.Notices = cmp.Or(e.Cases, "finished paid"), "active", cmp.Or(e.Notices, "receipt 1")
	return e
}

// unpaid is the end of an invoice that nothing could pay.
var unpaid = ending{Cases: "suspended", Standing: "suspended", Due: owed, Notices: "final_notice 1, payment_failed 6, suspended 1, suspension_scheduled 1"}

// Conditions that people wait for, on account $1.
const (
	declinedOnce = `select exists (select 1 from cases where account_id = $1 and stage = 'retrying' and next_step ->> 'do' = 'wait')`
	isSuspended  = `select standing = 'suspended' from accounts where id = $1`
	waits        = `select exists (select 1 from attempts where account_id = $1 and state = 'action_required')`
	isSent       = `select exists (select 1 from attempts where account_id = $1 and first_sent_at is not null)`
	isReopened   = `select exists (select 1 from cases where account_id = $1 and episode = 2 and finished_at is not null)`
	isFinished   = `select exists (select 1 from cases where account_id = $1 and finished_at is not null)`
	isClosed     = `select standing = 'closed' from accounts where id = $1`
)

// stories are all of them.
func stories() []story {
	return append(byBalances(), append(byGateway(), append(byBanksAndCustomers(), byPeople()...)...)...)
}

func byBalances() []story {
	return []story{
		{name: "credits", ends: paid(ending{Credits: owed}), lines: func(id string) []string { return demo(id).credit(id, "80.00").card(id, 1, pays) }},
		{name: "funds", ends: paid(ending{Funds: owed}), lines: func(id string) []string { return demo(id).funds(id, "80.00").card(id, 1, pays) }},
		{name: "credits and funds", ends: paid(ending{Credits: 2000, Funds: 3000}), lines: func(id string) []string { return demo(id).credit(id, "20.00").funds(id, "80.00") }},
		{name: "funds in part, then a charge", ends: paid(ending{Credits: 500, Funds: 1500, Gateway: 3000}), lines: func(id string) []string { return demo(id).credit(id, "5.00").funds(id, "15.00").card(id, 1, pays) }},
	}
}

func byGateway() []story {
	return []story{
		{name: "primary", ends: paid(ending{Gateway: owed}), lines: cards(pays, paysToo)},
		{name: "yen", ends: paid(ending{Gateway: owed}), lines: yen},
		{name: "backup after a decline", ends: paid(ending{Gateway: owed, Notices: "backup_charged 1, receipt 1"}), lines: cards(noMoney, paysToo)},
		{name: "hard decline", ends: paid(ending{Gateway: owed, Notices: "backup_charged 1, receipt 1"}), lines: cards(lostCard, paysToo)},
		{name: "retried", ends: paid(ending{Gateway: owed, Notices: "payment_failed 2, receipt 1"}), lines: cards("pm_sim_decline_then_ok_2")},
		{name: "unknown, captured", ends: paid(ending{Gateway: owed}), lines: cards("pm_sim_timeout_after_effect", paysToo)},
		{name: "unknown, not captured", ends: paid(ending{Gateway: owed}), lines: cards("pm_sim_timeout_before_effect", paysToo)},
		{name: "stored 500, paid", ends: paid(ending{Gateway: owed}), lines: cards("pm_sim_error_500_stored_paid", paysToo)},
		{name: "answer malformed", ends: paid(ending{Gateway: owed}), lines: cards("pm_sim_malformed", paysToo)},
		{name: "429", ends: paid(ending{Gateway: owed}), lines: cards("pm_sim_rate_limited_429", paysToo)},
		{name: "409", ends: paid(ending{Gateway: owed}), lines: cards("pm_sim_conflict_409_then_ok", paysToo)},
		{name: "suspended", ends: unpaid, lines: cards(noMoney)},
		{name: "no method", ends: unpaid, lines: func(id string) []string { return demo(id) }},
	}
}

func byBanksAndCustomers() []story {
	return []story{
		{name: "pending, settled", ends: paid(ending{Gateway: owed, Notices: "payment_processing 1, receipt 1"}), lines: func(id string) []string { return demo(id).bank(id, 1, "pm_sim_bank_settles_after_5s") }},
		{name: "pending, fails, backup", ends: paid(ending{Gateway: owed, Notices: "backup_charged 1, payment_processing 1, receipt 1"}), lines: func(id string) []string { return demo(id).bank(id, 1, "pm_sim_bank_fails_after_5s").card(id, 2, pays) }},
		{name: "settled, returned", ends: paid(ending{Cases: "finished paid, finished paid", Gateway: 2 * owed, Reversed: owed, Notices: "payment_processing 1, payment_returned 1, receipt 2"}), later: isReopened, lines: func(id string) []string {
			return demo(id).bank(id, 1, "pm_sim_bank_returns_after_10s").card(id, 2, paysToo)
		}},
		{name: "chargeback", ends: paid(ending{Cases: "finished paid, finished paid", Gateway: 2 * owed, Reversed: owed, Notices: "payment_returned 1, receipt 2", Tasks: "chargeback 1"}), later: isReopened, lines: cards("pm_card_createDispute", paysToo)},
		{name: "action required, confirmed", later: isFinished, ends: paid(ending{Gateway: owed, Notices: "action_required 1, receipt 1"}), lines: standardCards("pm_sim_requires_action", paysToo), people: func(p *play) error {
			if err := p.until(waits); err != nil {
				return err
			}
			return p.simulate("authenticate")
		}},
		{name: "action required, cancelled", ends: paid(ending{Gateway: owed, Notices: "action_required 1, backup_charged 1, receipt 1"}), lines: cards("pm_sim_requires_action", paysToo)},
	}
}

func byPeople() []story {
	return []story{
		{name: "suspended, then paid by funds", ends: paid(ending{Funds: owed, Notices: "final_notice 1, payment_failed 6, receipt 1, reinstated 1, suspended 1, suspension_scheduled 1"}), lines: cards(noMoney), people: func(p *play) error {
			if err := p.until(isSuspended); err != nil {
				return err
			}
			return p.takeIn("later", lines{}.funds(p.id, "80.00"))
		}},
		{name: "suspended, closed", ends: ending{Cases: "suspended", Standing: "closed", Due: owed, Notices: unpaid.Notices, Tasks: "closed_unpaid 1"}, lines: cards(noMoney), later: isClosed, people: func(p *play) error {
			if err := p.until(isSuspended); err != nil {
				return err
			}
			return p.letTimePass(10 * time.Minute)
		}},
		{name: "held and released", ends: paid(ending{Gateway: owed, Notices: "payment_failed 1, receipt 1"}), lines: standardCards("pm_sim_decline_then_ok_1"), people: func(p *play) error {
			if err := p.until(declinedOnce); err != nil {
				return err
			}
			if err := p.resolve("hold", "--until", time.Now().Add(48*time.Hour).UTC().Format(time.RFC3339)); err != nil {
				return err
			}
			if err := p.resolve("release"); err != nil {
				return err
			}
			return p.resolve("retry_now")
		}},
		{name: "retry now", ends: paid(ending{Gateway: owed, Notices: "payment_failed 1, receipt 1"}), lines: standardCards("pm_sim_decline_then_ok_1"), people: func(p *play) error {
			if err := p.until(declinedOnce); err != nil {
				return err
			}
			return p.resolve("retry_now")
		}},
		{name: "paid out of band during a round", ends: paid(ending{OutOfBand: owed, Notices: "action_required 1, receipt 1"}), lines: cards("pm_sim_requires_action", paysToo), people: func(p *play) error {
			if err := p.until(waits); err != nil {
				return err
			}
			return p.paidOutOfBand()
		}},
		{name: "late success after another payment", ends: paid(ending{Gateway: owed, OutOfBand: owed, Unapplied: owed, Tasks: "refund 1"}), lines: cards("pm_sim_timeout_after_effect"), people: func(p *play) error {
			if err := p.until(isSent); err != nil {
				return err
			}
			return p.paidOutOfBand()
		}},
		{name: "method replaced", ends: paid(ending{Gateway: owed, Notices: "backup_charged 1, payment_failed 1, receipt 1"}), lines: standardCards(noMoney), people: func(p *play) error {
			if err := p.until(declinedOnce); err != nil {
				return err
			}
			return p.takeIn("later", lines{}.card(p.id, 2, paysToo))
		}},
		{name: "paid out of band in the Temporal UI", ends: paid(ending{OutOfBand: owed, Notices: "payment_failed 1, receipt 1"}), lines: standardCards(noMoney), people: func(p *play) error {
			if err := p.until(declinedOnce); err != nil {
				return err
			}
			amount := money.New(owed, money.MustCurrency("USD"))
			return p.update(billing.Resolution{RequestID: p.id + "-ui", Kind: billing.PaidOutOfBand, Actor: "operator", Reason: "the transfer came",
				Amount: &amount, Reference: "TRF-" + p.id, ReceivedOn: "2025-11-20"})
		}},
	}
}
