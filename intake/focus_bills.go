package intake

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"recoup/billing"
	"recoup/money"
)

// billKey says which rows make one bill.
type billKey struct {
	billing, sub string
	currency     money.Currency
	start        time.Time
}

// lineKey says which rows of a bill make one line.
type lineKey struct {
	service, category string
	kind              billing.ChargeKind
}

type bill struct {
	key   billKey
	line  int // of its first row
	end   time.Time
	lines map[lineKey]*lineSum
}

type lineSum struct {
	cost *big.Rat
	rows int
}

func (f *focusReader) addTo(key billKey, end time.Time, r row, line lineKey, cost *big.Rat) {
	b := f.bills[key]
	if b == nil {
		b = &bill{key: key, line: r.line, end: end, lines: map[lineKey]*lineSum{}}
		f.bills[key] = b
	}
	if !b.end.Equal(end) {
		f.problems.Add(r.line, colPeriodEnd, "differs from the one on line %d for the same bill", b.line)
		return
	}
	sum := b.lines[line]
	if sum == nil {
		sum = &lineSum{cost: new(big.Rat)}
		b.lines[line] = sum
	}
	sum.cost.Add(sum.cost, cost)
	sum.rows++
}

// makeBatch turns the bills into accounts and invoices, in the order of their keys: the order of the file's rows leaves no trace.
func (f *focusReader) makeBatch() {
	bills := make([]*bill, 0, len(f.bills))
	for _, b := range f.bills {
		bills = append(bills, b)
	}
	slices.SortFunc(bills, func(a, b *bill) int {
		return cmp.Or(strings.Compare(a.key.billing, b.key.billing), strings.Compare(a.key.sub, b.key.sub),
			strings.Compare(a.key.currency.Code(), b.key.currency.Code()), a.key.start.Compare(b.key.start))
	})
	made := map[string]string{} // raw id → raw id of its parent
	for _, b := range bills {
		if _, there := made[b.key.billing]; !there {
			made[b.key.billing] = ""
			f.addAccount(b.line, b.key.billing, "")
		}
		parent, there := made[b.key.sub]
		switch {
		case b.key.sub == b.key.billing:
		case !there:
			made[b.key.sub] = b.key.billing
			f.addAccount(b.line, b.key.sub, b.key.billing)
		case parent != b.key.billing:
			f.problems.Add(b.line, colSub, "%s appears under the billing accounts %s and %s: an account has one parent, split the file",
				b.key.sub, orElse(parent, b.key.sub), b.key.billing)
			continue
		}
		f.addBill(b)
	}
	f.summary.Bills = len(bills)
}

func (f *focusReader) addAccount(line int, raw, parent string) {
	id := accountID(raw)
	name := orElse(f.names[raw], string(id))
	fields{reader: f.reader, line: line, kind: "account"}.text("name", name, textMax)
	a := billing.BatchAccount{Line: line, KeepExisting: true, Account: billing.Account{
		ID: id, Name: name, TimeZone: f.options.TimeZone, Locale: DefaultLocale, Policy: f.options.Policy, Standing: billing.StandingActive,
	}}
	if parent != "" {
		a.Account.ParentID = accountID(parent)
	}
	if f.options.EmailDomain != "" {
		a.Contacts = []billing.Contact{{AccountID: id, Position: 1, Email: mailbox(id) + "@" + f.options.EmailDomain}}
	}
	f.batch.Accounts = append(f.batch.Accounts, a)
	if f.options.MethodToken != "" {
		f.batch.Methods = append(f.batch.Methods, billing.BatchMethod{Line: line, WithNewAccount: true, Method: methodOf(id, f.options.MethodToken)})
	}
}

// addBill rounds one bill and files it as an invoice, or as a credit when it is below zero.
func (f *focusReader) addBill(b *bill) {
	keys := make([]lineKey, 0, len(b.lines))
	for k := range b.lines {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b lineKey) int {
		return cmp.Or(strings.Compare(a.service, b.service), strings.Compare(a.category, b.category), cmp.Compare(a.kind, b.kind))
	})
	parts := make([]*big.Rat, len(keys))
	for i, k := range keys {
		parts[i] = b.lines[k].cost
	}
	amounts, err := money.Apportion(parts, b.key.currency)
	if err != nil {
		f.problems.Add(b.line, colCost, "the bill of %s can't be rounded: %v", b.key.sub, err)
		return
	}
	total := money.Zero(b.key.currency)
	lines := make([]billing.Line, len(keys))
	for i, k := range keys {
		if total, err = total.Add(amounts[i]); err != nil {
			f.problems.Add(b.line, colCost, "the bill of %s does not add up: %v", b.key.sub, err)
			return
		}
		lines[i] = billing.Line{
			Position: i + 1, Service: k.service, ChargeKind: k.kind, Amount: amounts[i],
			Description: fmt.Sprintf("%s, rows: %d", k.category, b.lines[k].rows),
			PeriodStart: b.key.start,
		}
		fields{reader: f.reader, line: b.line, kind: colService}.text("", k.service, textMax)
	}
	if total.IsNegative() {
		f.addCredit(b, total)
		return
	}
	if total.IsZero() {
		f.summary.Zero++
	}
	id := billing.InvoiceID(billID(b.key))
	f.batch.Invoices = append(f.batch.Invoices, billing.BatchInvoice{Line: b.line, Invoice: billing.Invoice{
		ID: id, Number: string(id), AccountID: accountID(b.key.sub), State: billing.InvoiceOpen, Total: total,
		Allocated: money.Zero(b.key.currency), Lines: lines,
		DueDate: b.end.Truncate(24*time.Hour).AddDate(0, 0, f.options.DueDays).Format(time.DateOnly),
	}})
}

// addCredit gives a bill below zero back: the provider owes the customer, for any service and any kind of charge, without an end.
func (f *focusReader) addCredit(b *bill, total money.Amount) {
	amount, err := total.Neg()
	if err != nil {
		f.problems.Add(b.line, colCost, "the bill of %s can't be turned into a credit: %v", b.key.sub, err)
		return
	}
	f.summary.Negative++
	f.batch.Credits = append(f.batch.Credits, billing.BatchCredit{Line: b.line, Credit: billing.Credit{
		ID: billing.CreditID(billID(b.key)), AccountID: accountID(b.key.sub), Enabled: true, Granted: amount, Remaining: amount,
		StartsOn: b.key.start, IncludedKinds: slices.Clone(excludedKinds),
		Reason: "bill below zero, period starting " + b.key.start.Format(time.DateOnly),
	}})
}

func methodOf(account billing.AccountID, token string) billing.PaymentMethod {
	m := billing.PaymentMethod{
		ID: billing.MethodID("pm:" + account), AccountID: account, Gateway: gateways[0], Token: token, Kind: billing.MethodCard,
		Position: 1, State: billing.MethodActive,
	}
	switch {
	case strings.HasPrefix(token, "pm_usBankAccount_"):
		m.Kind = billing.MethodUSBankAccount
	case strings.HasPrefix(token, "pm_sepaDebit_"):
		m.Kind = billing.MethodSEPADebit
	case token == "pm_card_visa":
		m.Brand, m.Last4 = "visa", "4242"
	case token == "pm_card_mastercard":
		m.Brand, m.Last4 = "mastercard", "4444"
	}
	m.Currency = billing.DebitCurrency(m.Kind)
	return m
}

// withoutMark drops a byte order mark, which spreadsheets write before the first column's name.
func withoutMark(in io.Reader) (io.Reader, error) {
	b := bufio.NewReader(in)
	start, err := b.Peek(len(byteOrderMark))
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.Equal(start, byteOrderMark) {
		_, err = b.Discard(len(byteOrderMark))
		return b, err
	}
	return b, nil
}
