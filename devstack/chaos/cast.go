package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"recoup/money"
)

// The days of the bills: everything is due when it is imported. Credits start early enough and never expire within a run.
const (
	usagePeriod = "2025-10-01"
	dueDate     = "2025-11-14"
	creditStart = "2025-06-01"
	settledOn   = "2025-11-03"
	cardExpiry  = "2031-08"
	cardExpired = "2024-02"
)

// Wave is a file that is imported during the run.
type Wave struct {
	At       time.Duration
	Name     string
	Lines    []byte // JSON Lines as recoup import reads them (docs/import.md)
	Invoices int
	Methods  int // added to accounts that were there before
	Funds    int // deposits and credits for accounts that were there before
}

// The waves come in the first part of the run, so that every case meets faults for a while.
const (
	waveEvery = 5 * time.Second
	wavesEnd  = 0.7
)

// place is where an account lives.
type place struct{ zone, locale, country, currency string }

var places = []place{
	{"America/New_York", "en-US", "US", "USD"}, {"America/Los_Angeles", "en-US", "US", "USD"}, {"Asia/Kathmandu", "en-US", "NP", "USD"},
	{"Europe/Berlin", "de-DE", "DE", "EUR"}, {"Europe/Dublin", "en-IE", "IE", "EUR"}, {"Asia/Tokyo", "ja-JP", "JP", "JPY"},
}

var services = []string{"Compute", "Object Storage", "Managed Postgres", "Data Transfer", "Log Search"}

type line map[string]any

// cast writes the accounts and what they owe, organisation by organisation.
type cast struct {
	luck  *rand.Rand
	waves []wave
	owed  int // invoices so far
	size  int
	// untold are the tokens that nobody has yet.
	untold []token
}

// wave is a Wave that is still written.
type wave struct {
	Wave
	lines []line
}

// Cast draws accounts in organisations that share credits and deposits, with exactly so many invoices in all, as files to be imported
// in waves over the length of the run. The same seed gives the same files.
func Cast(seed uint64, invoices int, length time.Duration) []Wave {
	c := &cast{luck: luckOf(seed, "cast"), size: invoices, untold: everyToken()}
	c.luck.Shuffle(len(c.untold), func(i, j int) { c.untold[i], c.untold[j] = c.untold[j], c.untold[i] })
	span := time.Duration(float64(length) * wavesEnd)
	c.waves = make([]wave, max(2, int(span/waveEvery)))
	for i := range c.waves {
		c.waves[i].At = time.Duration(i) * span / time.Duration(len(c.waves))
		c.waves[i].Name = fmt.Sprintf("wave-%03d.jsonl", i+1)
	}
	for org := 1; c.owed < c.size; org++ {
		c.organisation(org)
	}
	out := make([]Wave, len(c.waves))
	for i, w := range c.waves {
		out[i] = w.Wave
		out[i].Lines = encode(w.lines)
	}
	return slices.DeleteFunc(out, func(w Wave) bool { return len(w.Lines) == 0 })
}

func encode(lines []line) []byte {
	var b bytes.Buffer
	for _, l := range lines {
		text, err := json.Marshal(l)
		if err != nil {
			panic(err) // strings, numbers and lists of them
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func (c *cast) chance(percent int) bool { return c.luck.IntN(100) < percent }

func (c *cast) put(at int, l line) { c.waves[at].lines = append(c.waves[at].lines, l) }

// organisation is a parent and up to four accounts below it. They come with one wave; a part of what they owe and own comes later.
func (c *cast) organisation(n int) {
	at, home := c.luck.IntN(len(c.waves)), places[c.luck.IntN(len(places))]
	parent := fmt.Sprintf("org-%d", n)
	c.account(at, parent, "", home)
	for child := range c.luck.IntN(5) {
		if c.owed == c.size {
			return
		}
		c.account(at, fmt.Sprintf("org-%d-%d", n, child+1), parent, home)
	}
}

func (c *cast) account(at int, id, parent string, home place) {
	l := line{"kind": "account", "id": id, "name": "Account " + id, "time_zone": home.zone, "locale": home.locale, "country": home.country,
		"policy": "demo", "contacts": c.contacts(id)}
	if parent != "" {
		l["parent"] = parent
	} else if c.chance(70) {
		l["credit_sharing"] = true
	}
	c.put(at, l)
	c.methods(at, id, home)
	typical := c.typical(home)
	if c.chance(25) {
		c.credit(at, id, 1, home, typical)
	}
	if c.chance(20) {
		c.deposit(at, id, 1, home, typical, true)
	}
	for n := range 1 + min(c.luck.IntN(3), c.luck.IntN(4)) {
		if c.owed == c.size {
			break
		}
		c.invoice(min(at+c.luck.IntN(2+2*n), len(c.waves)-1), id, n+1, home, typical)
	}
	c.later(at, id, home, typical)
}

// later brings what changes a case that is under way: a new card, money, a credit.
func (c *cast) later(at int, id string, home place, typical int64) {
	when := at + 1 + c.luck.IntN(4)
	if when >= len(c.waves) {
		return
	}
	switch {
	case c.chance(12):
		c.put(when, c.method(id, 9, draw(c.luck, backups, home.currency == "USD")))
		c.waves[when].Methods++
	case c.chance(8):
		c.deposit(when, id, 9, home, typical, true)
		c.waves[when].Funds++
	case c.chance(5):
		c.credit(when, id, 9, home, typical)
		c.waves[when].Funds++
	case c.chance(5): // announced now, there later
		c.deposit(at, id, 8, home, typical, false)
		last := c.waves[at].lines[len(c.waves[at].lines)-1]
		settled := line{"settled_on": settledOn}
		for k, v := range last {
			settled[k] = v
		}
		c.put(when, settled)
		c.waves[when].Funds++
	}
}

// contacts are mostly reachable; the mailbox refuses bounce@ for good and defer@ for now.
func (c *cast) contacts(id string) []line {
	name := "billing"
	switch n := c.luck.IntN(100); {
	case n < 4:
		name = "bounce"
	case n < 6:
		name = "defer"
	}
	all := []line{{"name": "Billing", "email": name + "+" + id + "@example.com"}}
	if c.chance(30) {
		all = append(all, line{"name": "Accounts payable", "email": "ap+" + id + "@example.com"})
	}
	return all
}

// methods are a primary and up to two backups. Some accounts have none that can be used.
func (c *cast) methods(at int, id string, home place) {
	if c.chance(2) {
		return
	}
	banksToo := home.currency == "USD"
	primary := c.next(banksToo)
	l := c.method(id, 1, primary)
	if !primary.bank() && c.chance(2) {
		l["expiry"] = cardExpired
	}
	c.put(at, l)
	for n := range min(c.luck.IntN(3), c.luck.IntN(3)+1) {
		c.put(at, c.method(id, n+2, draw(c.luck, backups, banksToo)))
	}
}

// next gives every token to somebody before luck decides.
func (c *cast) next(banksToo bool) token {
	for i, t := range c.untold {
		if banksToo || !t.bank() {
			c.untold = slices.Delete(c.untold, i, i+1)
			return t
		}
	}
	return draw(c.luck, primaries, banksToo)
}

func (c *cast) method(account string, n int, t token) line {
	l := line{"kind": "payment_method", "id": fmt.Sprintf("pm-%s-%d", account, n), "account": account, "token": t.name, "last4": t.last4}
	if t.bank() {
		l["method_kind"], l["currency"] = "us_bank_account", "USD"
	} else {
		l["method_kind"], l["brand"], l["expiry"] = "card", t.brand, cardExpiry
	}
	return l
}

// typical is the account's usual bill in minor units.
func (c *cast) typical(home place) int64 {
	if home.currency == "JPY" {
		return 800 + c.luck.Int64N(80_000)
	}
	return 700 + c.luck.Int64N(70_000)
}

func (c *cast) credit(at int, account string, n int, home place, typical int64) {
	l := line{"kind": "credit", "id": fmt.Sprintf("credit-%s-%d", account, n), "account": account, "currency": home.currency,
		"amount": decimal(typical*(20+c.luck.Int64N(200))/100+1, home), "starts_on": creditStart, "reason": "voucher"}
	if c.chance(40) {
		l["expires_on"] = "2099-12-31"
	}
	if c.chance(40) {
		l["services"] = services[:1+c.luck.IntN(3)]
	}
	c.put(at, l)
}

func (c *cast) deposit(at int, account string, n int, home place, typical int64, settled bool) {
	l := line{"kind": "deposit", "id": fmt.Sprintf("deposit-%s-%d", account, n), "account": account, "currency": home.currency,
		"amount": decimal(typical*(20+c.luck.Int64N(200))/100+1, home), "reference": fmt.Sprintf("FD-%s-%d", strings.ToUpper(account), n)}
	if settled {
		l["settled_on"] = settledOn
	}
	c.put(at, l)
}

// invoice is about the account's usual bill, over one to three lines. One in fifty is too small to suspend for, one in fifty asks for nothing.
func (c *cast) invoice(at int, account string, n int, home place, typical int64) {
	total := max(2, typical*(60+c.luck.Int64N(80))/100)
	if c.chance(2) {
		total = 90
	}
	var lines []line
	rest := total
	for i := range 1 + c.luck.IntN(3) {
		part := rest
		if i < 2 {
			part = 1 + c.luck.Int64N(rest)
		}
		lines = append(lines, line{"service": services[(i+c.luck.IntN(2))%len(services)], "period_start": usagePeriod, "amount": decimal(part, home)})
		if rest -= part; rest == 0 {
			break
		}
	}
	switch {
	case c.chance(15):
		lines = append(lines, line{"service": "Tax", "charge_kind": "tax", "period_start": usagePeriod, "amount": decimal(max(1, total/10), home)})
	case c.chance(2):
		sum := total - rest
		lines = append(lines, line{"service": "Compute", "charge_kind": "adjustment", "period_start": usagePeriod, "amount": decimal(-sum, home)})
	}
	id := fmt.Sprintf("inv-%s-%d", account, n)
	c.put(at, line{"kind": "invoice", "id": id, "number": "2025-10/" + id, "account": account, "due_date": dueDate, "currency": home.currency,
		"lines": lines, "marketplace": c.chance(3)})
	c.owed++
	c.waves[at].Invoices++
}

func decimal(minor int64, home place) string {
	currency, err := money.ParseCurrency(home.currency)
	if err != nil {
		panic(err) // one of ours
	}
	return money.New(minor, currency).Decimal()
}
