package dunning

import (
	"strings"
	"time"
)

// Class is what a decline means for what may be done next (D1).
type Class string

// The classes of declines (D1).
const (
	ClassHardInstrument Class = "hard_instrument" // never again until replaced: block the method
	ClassFixData        Class = "fix_data"        // again after the method is updated
	ClassSoftFunds      Class = "soft_funds"      // again on schedule: money may come
	ClassSoftIssuer     Class = "soft_issuer"     // again on schedule: the issuer said no
	ClassAuthRequired   Class = "auth_required"   // never off-session: send the link
	ClassTransient      Class = "transient"       // not processed: same attempt, same key, soon
	ClassUnknown        Class = "unknown"         // sent, and nobody knows: look it up (D2, U1)
	ClassPending        Class = "pending"         // accepted, not settled (U3)
	ClassRisk           Class = "risk"            // a person looks; no ordinary dunning mail
	ClassOurConfig      Class = "our_config"      // our mistake: page an operator, stop the customer's clock
	ClassAlreadyPaid    Class = "already_paid"    // a success
)

// strictness orders the classes by how much they forbid; when sources disagree the strictest wins (D3). Of two that forbid the same
// the one that says more ranks higher. unknown and pending come last because they forbid every other method too (PM3).
var strictness = map[Class]int{
	ClassTransient:      1,
	ClassSoftIssuer:     2,
	ClassSoftFunds:      3,
	ClassFixData:        4,
	ClassAuthRequired:   5,
	ClassOurConfig:      6,
	ClassHardInstrument: 7,
	ClassRisk:           8,
	ClassAlreadyPaid:    9,
	ClassPending:        10,
	ClassUnknown:        11,
}

// Codes are what a gateway and the networks said about one attempt. Each may be empty; case and blanks around don't matter.
type Codes struct {
	Gateway           string // the adapter's name, "stripe"
	Brand             string // "visa", "mastercard", … decides how network codes are read; "" reads them by all networks
	DeclineCode       string // the gateway's decline code, or its error code when there is none
	ErrorCode         string // the gateway's error code
	AdviceCode        string // the gateway's advice ("do_not_try_again") or the network's ("03", a category "1")
	NetworkAdviceCode string // the network's advice, where a gateway gives both
	NetworkCode       string // the network's response code "51", ACH return code "R01" or SEPA reason "AM04"
}

// Ruling is what the table says about codes.
type Ruling struct {
	Class Class
	// Never: no further attempt with this method as it is. With hard_instrument and risk the method is the reason and is blocked; with
	// our_config our own set-up is, and the method stays good.
	Never bool
	// WaitAtLeast is the time before this method may be tried again, however soon the policy's next round is (D3).
	WaitAtLeast time.Duration
	// Unmapped: some code, or every code, is not in the table; such declines are soft_issuer unless another code says more, and counted.
	Unmapped bool
	// Row names the rows used, "stripe/decline_code/insufficient_funds + mastercard/advice_code/24", so that a ruling explains itself.
	Row string
	// SafeReason may be shown to the customer, as in "It failed because …"; it never names fraud, loss or theft (N3).
	SafeReason string
}

// Classify returns what codes mean. Sources are read one by one and the strictest class, any "never" and the longest wait win (D3).
// It never fails: codes nobody knows are soft_issuer and Unmapped (D1).
func Classify(codes Codes) Ruling {
	rows, unmapped := lookUp(codes)
	if len(rows) == 0 {
		return Ruling{Class: ClassSoftIssuer, Unmapped: true, SafeReason: reasons["declined"]}
	}
	r := Ruling{Unmapped: unmapped}
	if unmapped {
		r.Class = ClassSoftIssuer
	}
	paid, contradicted := false, unmapped
	var ids []string
	for _, row := range rows {
		if strictness[row.Class] > strictness[r.Class] {
			r.Class = row.Class
		}
		paid = paid || row.Class == ClassAlreadyPaid
		contradicted = contradicted || row.Class != ClassAlreadyPaid
		r.Never = r.Never || row.Never
		r.WaitAtLeast = max(r.WaitAtLeast, row.Wait)
		ids = append(ids, row.ID())
	}
	if paid && contradicted {
		r.Class = ClassUnknown // "already paid" and a decline at once: only a look-up can tell
	}
	r.Row = strings.Join(ids, " + ")
	r.SafeReason = safeReason(rows, r.Class)
	return r
}

// lookUp returns the rows of every source, and whether a code was found nowhere.
func lookUp(codes Codes) (rows []declineRow, unmapped bool) {
	gateway, networks := normal(codes.Gateway), networksOf(normal(codes.Brand))
	sources := []struct {
		code   string
		scopes []string
		kinds  []string
	}{
		{codes.DeclineCode, []string{gateway}, []string{"decline_code", "error_code"}},
		{codes.ErrorCode, []string{gateway}, []string{"error_code", "decline_code"}},
		{codes.AdviceCode, append([]string{gateway}, networks...), []string{"advice_code"}},
		{codes.NetworkAdviceCode, networks, []string{"advice_code"}},
		{codes.NetworkCode, append(networks, "ach", "sepa"), []string{"network_code"}},
	}
	seen := map[string]bool{}
	for _, s := range sources {
		code := normal(s.code)
		if code == "" {
			continue
		}
		found := declineTable().find(s.scopes, s.kinds, code)
		unmapped = unmapped || len(found) == 0
		for _, row := range found {
			if !seen[row.ID()] {
				seen[row.ID()] = true
				rows = append(rows, row)
			}
		}
	}
	return rows, unmapped
}

func normal(code string) string { return strings.ToLower(strings.TrimSpace(code)) }

// networksOf returns whose tables a brand's codes are read by: its own, or for a brand without one all of them, the strictest winning.
func networksOf(brand string) []string {
	if brand == "visa" || brand == "mastercard" {
		return []string{brand}
	}
	return []string{"visa", "mastercard"}
}

// reasons are the texts a customer may read, by the table's column reason (N3).
var reasons = map[string]string{
	"authentication": "your bank asks you to confirm the payment",
	"bank_declined":  "your bank did not carry out the debit",
	"bank_funds":     "the bank account did not have enough funds",
	"bank_returned":  "your bank returned the debit",
	"bank_unusable":  "the bank account cannot be debited",
	"checking":       "we are still checking with the bank what became of the payment",
	"declined":       "your bank declined the payment",
	"details":        "your bank did not accept the payment details",
	"expired":        "the card has expired",
	"funds":          "there were not enough funds, or a limit was reached",
	"ours":           "we could not process the payment; you need not do anything",
	"paid":           "it was paid already",
	"unusable":       "your bank declined the payment and this card cannot be charged again",
}

// defaultReasons serve rows that give none, such as advice.
var defaultReasons = map[Class]string{
	ClassHardInstrument: "unusable",
	ClassSoftFunds:      "funds",
	ClassUnknown:        "checking",
}

// safeReason takes the reason of a row of the ruling's class, else of any row, else the class's own.
func safeReason(rows []declineRow, class Class) string {
	first := ""
	for _, row := range rows {
		if row.Reason == "" {
			continue
		}
		if row.Class == class {
			return reasons[row.Reason]
		}
		if first == "" && class != ClassUnknown {
			first = row.Reason
		}
	}
	if first == "" {
		first = defaultReasons[class]
	}
	if first == "" {
		first = "declined"
	}
	return reasons[first]
}
