package notify

import (
	"time"

	"recoup/billing"
	"recoup/money"
)

// reader is one account to write for, with one invoice in its currency.
type reader struct {
	account  billing.Account
	contact  billing.Contact
	currency string
	total    int64
	paid     int64
}

var (
	newYork = reader{
		account:  billing.Account{ID: "acct-ny", Name: "Hudson Bakery Inc.", TimeZone: "America/New_York", Locale: "en-US"},
		contact:  billing.Contact{AccountID: "acct-ny", Position: 1, Name: "Ada Moore", Email: "ada@hudson.example"},
		currency: "USD", total: 1234567, paid: 1000000,
	}
	tokyo = reader{
		account:  billing.Account{ID: "acct-tk", Name: "Sakura Works", TimeZone: "Asia/Tokyo", Locale: "ja-JP"},
		contact:  billing.Contact{AccountID: "acct-tk", Position: 1, Name: "Yuki Tanaka", Email: "yuki@sakura.example"},
		currency: "JPY", total: 1234567, paid: 1000000,
	}
	kuwait = reader{
		account:  billing.Account{ID: "acct-kw", Name: "Gulf Data", TimeZone: "Asia/Kuwait", Locale: "en-KW"},
		contact:  billing.Contact{AccountID: "acct-kw", Position: 1, Name: "Noor Al-Sabah", Email: "noor@gulf.example"},
		currency: "KWD", total: 1234567, paid: 1000000,
	}
	readers = []reader{newYork, tokyo, kuwait}
)

var testNow = time.Date(2026, 11, 21, 14, 30, 0, 0, time.UTC)

func (r reader) amount(minor int64) money.Amount {
	return money.New(minor, money.MustCurrency(r.currency))
}

func (r reader) invoice(number string, allocated int64) billing.Invoice {
	state := billing.InvoiceOpen
	if allocated == r.total {
		state = billing.InvoicePaid
	}
	return billing.Invoice{
		ID: billing.InvoiceID("inv-" + number), Number: number, AccountID: r.account.ID, State: state, DueDate: "2026-11-14",
		Total: r.amount(r.total), Allocated: r.amount(allocated),
	}
}

var (
	visa   = billing.NoticeMethod{ID: "pm-1", Kind: billing.MethodCard, Brand: "visa", Last4: "4242", Position: 1, State: billing.MethodActive}
	master = billing.NoticeMethod{ID: "pm-2", Kind: billing.MethodCard, Brand: "mastercard", Last4: "4444", Position: 2,
		State: billing.MethodActive}
	bank = billing.NoticeMethod{ID: "pm-3", Kind: billing.MethodUSBankAccount, Last4: "6789", Position: 3, State: billing.MethodActive}
)

// factsOf returns what the ledger plausibly says when a notice of the kind goes out to r.
func factsOf(kind string, r reader) billing.NoticeFacts {
	f := billing.NoticeFacts{
		ID: "11111111-2222-4333-8444-555555555555", Kind: kind, Channel: billing.ChannelEmail, Now: testNow, CreatedAt: testNow,
		Account: r.account, Contact: r.contact, Invoice: r.invoice("2026-0042", r.paid),
		Case: billing.NoticeCase{
			ID: "case", Stage: "retrying", NextAttemptAt: testNow.AddDate(0, 0, 3), SuspendAt: testNow.AddDate(0, 0, 23),
			CloseAt: testNow.AddDate(0, 0, 53),
		},
	}
	f.Account.Standing = billing.StandingActive
	declined := billing.NoticeAttempt{
		ID: "a-1", Method: visa, State: billing.AttemptDeclined, Amount: r.amount(r.total - r.paid),
		SafeReason: "there were not enough funds, or a limit was reached",
	}
	named := func(m billing.NoticeMethod, state billing.AttemptState) {
		f.Data.Attempt = "a-2"
		f.Attempts = append(f.Attempts, billing.NoticeAttempt{ID: "a-2", Method: m, State: state, Amount: r.amount(r.total - r.paid)})
	}
	switch kind {
	case "receipt":
		named(visa, billing.AttemptSucceeded)
		f.Invoice = r.invoice("2026-0042", r.total)
		f.Sources = []billing.NoticeSource{
			{Kind: billing.SourceCredit, Amount: r.amount(r.paid - 1)}, {Kind: billing.SourceFunds, Amount: r.amount(1)},
			{Kind: billing.SourceMethod, Method: visa, Amount: r.amount(r.total - r.paid)},
		}
	case "backup_charged":
		f.Attempts = append(f.Attempts, declined)
		named(master, billing.AttemptSucceeded)
		f.Invoice = r.invoice("2026-0042", r.total)
	case "payment_failed":
		second := declined
		second.ID, second.Method, second.SafeReason = "a-9", master, ""
		f.Attempts = append(f.Attempts, declined, second)
	case "payment_processing":
		named(bank, billing.AttemptPending)
		f.Open = billing.AttemptPending
	case "payment_returned":
		named(bank, billing.AttemptSucceeded)
	case "action_required":
		named(visa, billing.AttemptActionRequired)
		f.Open = billing.AttemptActionRequired
	case "final_notice", "suspension_scheduled":
		f.Case.Stage, f.Case.NextAttemptAt = kind, time.Time{}
	case "suspended":
		f.Account.Standing, f.Case.Stage = billing.StandingSuspended, "suspended"
		f.Case.NextAttemptAt, f.Case.SuspendAt = time.Time{}, time.Time{}
		f.Overdue = []billing.Invoice{f.Invoice, r.invoice("2026-0051", 0)}
	case "reinstated":
		f.Invoice, f.Case = r.invoice("2026-0042", r.total), billing.NoticeCase{}
	case "invoice_due_soon":
		f.Invoice, f.Invoice.DueDate, f.Case = r.invoice("2026-0060", 0), "2026-11-28", billing.NoticeCase{}
	case "method_expiring", "method_changed":
		f.Method, f.Data.Method, f.Invoice, f.Case = visa, visa.ID, billing.Invoice{}, billing.NoticeCase{}
	case "promise_recorded":
		a := r.amount(r.total - r.paid)
		f.Data.Amount, f.Case.HeldUntil, f.Case.HeldScopes = &a, testNow.AddDate(0, 0, 6), []string{"attempts"}
	case "method_blocked":
		f.Method, f.Data.Method = visa, visa.ID
	case "funds_received":
		a := r.amount(r.paid)
		f.Data.Amount, f.Invoice, f.Case = &a, billing.Invoice{}, billing.NoticeCase{}
		f.Overdue = []billing.Invoice{r.invoice("2026-0051", 0)}
	}
	return f
}
