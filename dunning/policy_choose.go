package dunning

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"recoup/billing"
	"recoup/money"
)

// DefaultPolicy is followed where no rule says otherwise.
const DefaultPolicy = "standard"

// PriorityMax bounds the priorities of rules for segments.
const PriorityMax = 10_000

// Assignment is a rule that says which policy new cases follow: those of one account, or of a segment. Every condition that a rule for a
// segment names must hold; it names at least one.
type Assignment struct {
	ID int64 `json:"id"`
	// Account is the one account the rule is for; then it has neither a priority nor conditions.
	Account billing.AccountID `json:"account,omitempty"`
	// Priority orders rules for segments: 1 is asked before 2. No two rules in force share one.
	Priority int    `json:"priority,omitempty"`
	Currency string `json:"currency,omitempty"` // of the invoice
	Country  string `json:"country,omitempty"`  // of the account, ISO 3166
	Plan     string `json:"plan,omitempty"`     // of the account
	// From ≤ the invoice's total < Below, in minor units of Currency; nil: no bound.
	From  *int64 `json:"from_minor,omitempty"`
	Below *int64 `json:"below_minor,omitempty"`
	// Policy, and its Version; 0 is the newest when a case opens.
	Policy  string `json:"policy"`
	Version int    `json:"version,omitempty"`
}

// PolicySubject is what rules look at: an invoice and its account.
type PolicySubject struct {
	Account billing.AccountID
	// Own is the policy that the account's import named, "" for none.
	Own     string
	Country string
	Plan    string
	Total   money.Amount
}

// PolicyChoice is what a case follows and why.
type PolicyChoice struct {
	Policy  string `json:"policy"`
	Version int    `json:"version"` // 0: the newest
	Rule    int64  `json:"rule,omitempty"`
	Because string `json:"because"`
}

// Choose answers which policy a new case follows. The order is fixed: a rule for the account; the policy its import named; the rules for
// segments, lowest priority first; DefaultPolicy. Rules out of force must not be given.
func Choose(rules []Assignment, s PolicySubject) PolicyChoice {
	segments := make([]Assignment, 0, len(rules))
	for _, r := range rules {
		if r.Account != "" && r.Account == s.Account {
			return PolicyChoice{r.Policy, r.Version, r.ID, fmt.Sprintf("rule %d: %s", r.ID, r.Says())}
		}
		if r.Account == "" {
			segments = append(segments, r)
		}
	}
	if s.Own != "" {
		return PolicyChoice{Policy: s.Own, Because: "the account was imported with it"}
	}
	slices.SortFunc(segments, func(a, b Assignment) int { return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID)) })
	for _, r := range segments {
		if r.covers(s) {
			return PolicyChoice{r.Policy, r.Version, r.ID, fmt.Sprintf("rule %d: %s", r.ID, r.Says())}
		}
	}
	return PolicyChoice{Policy: DefaultPolicy, Because: "no rule says otherwise"}
}

func (r Assignment) covers(s PolicySubject) bool {
	return (r.Currency == "" || r.Currency == s.Total.Currency().Code()) &&
		(r.Country == "" || r.Country == s.Country) &&
		(r.Plan == "" || r.Plan == s.Plan) &&
		(r.From == nil || s.Total.Minor() >= *r.From) &&
		(r.Below == nil || s.Total.Minor() < *r.Below)
}

// Says is whom the rule is for: "country DE, EUR 0.00 to below EUR 100.00 (priority 10)".
func (r Assignment) Says() string {
	if r.Account != "" {
		return "account " + string(r.Account)
	}
	var parts []string
	if r.Country != "" {
		parts = append(parts, "country "+r.Country)
	}
	if r.Plan != "" {
		parts = append(parts, "plan "+r.Plan)
	}
	amount := func(minor int64) string {
		c, err := money.ParseCurrency(r.Currency)
		if err != nil {
			return fmt.Sprint(minor) // not reached: Check wants a currency
		}
		return money.New(minor, c).String()
	}
	switch {
	case r.From != nil && r.Below != nil:
		parts = append(parts, amount(*r.From)+" to below "+amount(*r.Below))
	case r.From != nil:
		parts = append(parts, amount(*r.From)+" and more")
	case r.Below != nil:
		parts = append(parts, "below "+amount(*r.Below))
	case r.Currency != "":
		parts = append(parts, "currency "+r.Currency)
	}
	return fmt.Sprintf("%s (priority %d)", strings.Join(parts, ", "), r.Priority)
}

var (
	countryShape = regexp.MustCompile(`^[A-Z]{2}$`)
	planShape    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`)
)

// CheckPlan refuses a plan tag that is not 1 to 64 letters, digits, ".", "_", ":" and "-".
func CheckPlan(plan string) error {
	if !planShape.MatchString(plan) {
		return fmt.Errorf("%q must be 1 to 64 letters, digits, \".\", \"_\", \":\" or \"-\", starting with a letter or digit", plan)
	}
	return nil
}

// CheckPolicyName refuses a name that no policy can have.
func CheckPolicyName(name string) error {
	if !policyName.MatchString(name) {
		return fmt.Errorf("%q is no policy's name: 1 to 32 of a-z, 0-9 and -, starting with a letter", name)
	}
	return nil
}

// Check refuses a rule that says nothing or contradicts itself, as a billing.Refusal that names the field.
func (r Assignment) Check() error {
	bad := func(field, format string, args ...any) error {
		return billing.Refuse(billing.RefusedInvalid, field, format, args...)
	}
	if err := CheckPolicyName(r.Policy); err != nil {
		return bad("policy", "%v", err)
	}
	if r.Version < 0 {
		return bad("policy", "version %d: must be 1 or more, or left out for the newest", r.Version)
	}
	conditions := r.Currency != "" || r.Country != "" || r.Plan != "" || r.From != nil || r.Below != nil
	switch {
	case r.Account != "" && (conditions || r.Priority != 0):
		return bad("account", "a rule for one account takes no priority and no conditions")
	case r.Account != "":
		return nil
	case !conditions:
		return bad("account", "name an account, or at least one of currency, country, plan and amount")
	case r.Priority < 1 || r.Priority > PriorityMax:
		return bad("priority", "must be 1 (asked first) to %d, got %d", PriorityMax, r.Priority)
	case r.Country != "" && !countryShape.MatchString(r.Country):
		return bad("country", "%q is no ISO 3166 country, such as DE", r.Country)
	case (r.From != nil || r.Below != nil) && r.Currency == "":
		return bad("currency", "is needed with an amount: bounds of different currencies cannot be compared")
	case r.From != nil && *r.From < 0:
		return bad("from", "must not be negative")
	case r.Below != nil && *r.Below <= 0:
		return bad("below", "must be above zero")
	case r.From != nil && r.Below != nil && *r.From >= *r.Below:
		return bad("below", "must be above from, or the rule covers nothing")
	}
	if r.Plan != "" {
		if err := CheckPlan(r.Plan); err != nil {
			return bad("plan", "%v", err)
		}
	}
	if r.Currency != "" {
		if _, err := money.ParseCurrency(r.Currency); err != nil {
			return bad("currency", "%q is no ISO 4217 currency, such as EUR", r.Currency)
		}
	}
	return nil
}
