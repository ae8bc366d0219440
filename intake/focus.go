package intake

import (
	"encoding/csv"
	"errors"
	"io"
	"math/big"
	"regexp"
	"strings"
	"time"

	"recoup/billing"
	"recoup/money"
)

// The columns of FOCUS 1.0 (focus.finops.org) that a bill needs; all others are left alone.
// Those of the second group may be missing.
const (
	colCost        = "BilledCost"
	colBilling     = "BillingAccountId"
	colCurrency    = "BillingCurrency"
	colPeriodStart = "BillingPeriodStart"
	colPeriodEnd   = "BillingPeriodEnd"
	colCategory    = "ChargeCategory"
	colService     = "ServiceName"

	colBillingName = "BillingAccountName"
	colSub         = "SubAccountId"
	colSubName     = "SubAccountName"
	colFrequency   = "ChargeFrequency"
)

var neededColumns = []string{colCost, colBilling, colCurrency, colPeriodStart, colPeriodEnd, colCategory, colService}

// textColumns are kept as they are. Ids of accounts are often long runs of digits; they are made safe where they become ours (accountID).
var textColumns = []string{colService, colBillingName, colSubName}

// FocusOptions are what a cost-and-usage file doesn't tell.
type FocusOptions struct {
	DueDays     int    // from the end of the billing period to the due date
	Policy      string // of new accounts
	TimeZone    string // of new accounts
	EmailDomain string // new accounts get a contact billing+<account>@domain; "": no contact, notices go to the console only
	MethodToken string // the payment method of new accounts; "": none
}

// FocusSummary counts what became of the file's rows and bills: nothing is left out without being counted.
type FocusSummary struct {
	Rows     int
	Bills    int // all of them: invoices to collect, zero and negative ones
	Zero     int // round to zero: kept as paid invoices, never collected
	Negative int // below zero: granted to the account as credits
}

// ReadFocus reads a FOCUS 1.0 cost-and-usage CSV and makes one invoice per billing account, sub-account, currency and billing period,
// with one line per service and charge category. Costs are summed exactly; a bill is rounded once, to the currency's minor unit, and
// its lines get their shares by largest remainder, so that they add up to the bill (M1). The order of rows doesn't matter.
//
// Each sub-account is an account whose parent is its billing account; accounts that are there already are left as they are.
// Errors are those of ReadLines, with column names for fields.
func ReadFocus(in io.Reader, o FocusOptions) (billing.Batch, FocusSummary, error) {
	if err := o.check(); err != nil {
		return billing.Batch{}, FocusSummary{}, err
	}
	f := focusReader{reader: newReader(), options: o, bills: map[billKey]*bill{}, names: map[string]string{}}
	if err := f.readAll(in); err != nil {
		return billing.Batch{}, FocusSummary{}, err
	}
	if f.problems.Err() == nil {
		f.makeBatch()
	}
	batch, err := f.done()
	return batch, f.summary, err
}

func (o FocusOptions) check() error {
	f := fields{reader: newReader(), kind: "-"}
	f.policy("-policy", o.Policy)
	f.zone("-time-zone", o.TimeZone)
	f.token("-payment-method", o.MethodToken)
	if o.EmailDomain != "" {
		f.email("-email-domain", "billing@"+o.EmailDomain)
	}
	if o.DueDays < 0 || o.DueDays > 365 {
		f.bad("-due-days", "must be 0 to 365")
	}
	for i := range f.problems.First {
		f.problems.First[i].Field = strings.Replace(f.problems.First[i].Field, "-.-", "--", 1)
	}
	return f.problems.Err()
}

type focusReader struct {
	*reader
	options FocusOptions
	columns map[string]int
	bills   map[billKey]*bill
	names   map[string]string // raw account id → its name
	summary FocusSummary
}

// row is one line of the file with the values by column name; NULL and empty are the same.
type row struct {
	line   int
	record []string
	at     map[string]int
}

func (r row) value(column string) string {
	i, ok := r.at[column]
	if !ok || r.record[i] == "NULL" {
		return ""
	}
	return r.record[i]
}

func (f *focusReader) readAll(in io.Reader) error {
	in, err := withoutMark(in)
	if err != nil {
		return err
	}
	c := csv.NewReader(in)
	c.ReuseRecord = true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("is empty")
	}
	if err != nil {
		return f.broken(err)
	}
	if !f.readHeader(header) {
		return nil
	}
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return f.broken(err)
		}
		line, _ := c.FieldPos(0)
		f.summary.Rows++
		f.take(row{line: line, record: record, at: f.columns})
	}
}

// broken notes where the CSV itself is wrong: what follows can't be read. Other errors are the reader's.
func (f *focusReader) broken(err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	f.problems.Add(parse.StartLine, "", "is no CSV: %v", parse.Err)
	return nil
}

func (f *focusReader) readHeader(header []string) bool {
	f.columns = map[string]int{}
	for i, name := range header {
		if _, again := f.columns[name]; again {
			f.problems.Add(1, name, "is there twice")
		}
		f.columns[name] = i
	}
	for _, name := range neededColumns {
		if _, ok := f.columns[name]; !ok {
			f.problems.Add(1, name, "column is missing: is this a FOCUS 1.0 file?")
		}
	}
	return f.problems.Err() == nil
}

// take adds one row to its bill.
func (f *focusReader) take(r row) {
	before := len(f.problems.First) + f.problems.More
	for _, column := range textColumns {
		if cardLike(r.value(column)) {
			f.problems.Add(r.line, column, "looks like a card number, which must never be given to Recoup")
		}
	}
	key := billKey{billing: r.value(colBilling), sub: orElse(r.value(colSub), r.value(colBilling)), currency: f.currencyOf(r)}
	if key.billing == "" {
		f.problems.Add(r.line, colBilling, "must be given")
	}
	key.start = f.timeOf(r, colPeriodStart).Truncate(24 * time.Hour)
	end := f.timeOf(r, colPeriodEnd)
	cost := f.costOf(r)
	kind := f.kindOf(r)
	if len(f.problems.First)+f.problems.More > before {
		return
	}
	if !end.After(key.start) {
		f.problems.Add(r.line, colPeriodEnd, "is not after %s", colPeriodStart)
		return
	}
	f.nameAccount(key.billing, r.value(colBillingName))
	if key.sub != key.billing {
		f.nameAccount(key.sub, r.value(colSubName))
	}
	f.addTo(key, end, r, lineKey{service: orElse(r.value(colService), "(no service)"), category: r.value(colCategory), kind: kind}, cost)
}

func (f *focusReader) nameAccount(id, name string) {
	if f.names[id] == "" {
		f.names[id] = name
	}
}

func (f *focusReader) currencyOf(r row) money.Currency {
	c, err := money.ParseCurrency(r.value(colCurrency))
	if err != nil {
		f.problems.Add(r.line, colCurrency, "%s", strings.TrimPrefix(err.Error(), "money: "))
	}
	return c
}

var focusTimes = []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.DateOnly}

func (f *focusReader) timeOf(r row, column string) time.Time {
	value := r.value(column)
	for _, layout := range focusTimes {
		if t, err := time.Parse(layout, value); err == nil {
			if t = t.UTC(); t.Year() < yearMin || t.Year() > yearMax {
				f.problems.Add(r.line, column, "%s is not between %d and %d", value, yearMin, yearMax)
			}
			return t
		}
	}
	f.problems.Add(r.line, column, "%q is no date and time, such as 2024-10-01T00:00:00Z", value)
	return time.Time{}
}

// costShape bounds what big.Rat is asked to hold: the format allows exponents, and 1e999999999 would fill the memory.
var costShape = regexp.MustCompile(`^[+-]?[0-9]{1,18}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?$`)

func (f *focusReader) costOf(r row) *big.Rat {
	value := r.value(colCost)
	cost, ok := new(big.Rat), false
	if costShape.MatchString(value) {
		cost, ok = cost.SetString(value)
	}
	if !ok {
		f.problems.Add(r.line, colCost, "%q is no number of at most 18 digits and 40 decimals", value)
		return nil
	}
	return cost
}

// kindOf maps a charge category to our words; purchases that come back are recurring, others upfront.
func (f *focusReader) kindOf(r row) billing.ChargeKind {
	switch category := r.value(colCategory); category {
	case "Usage":
		return billing.ChargeUsage
	case "Tax":
		return billing.ChargeTax
	case "Credit", "Adjustment":
		return billing.ChargeAdjustment
	case "Purchase":
		if r.value(colFrequency) == "Recurring" {
			return billing.ChargeRecurring
		}
		return billing.ChargeUpfront
	default:
		f.problems.Add(r.line, colCategory, "%q is none of Usage, Purchase, Tax, Credit, Adjustment", category)
		return ""
	}
}
