package dunning

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recoup/money"
)

func TestD5ShippedPolicies(t *testing.T) {
	want := []struct {
		name                                   string
		unit                                   Unit
		rounds                                 []int
		finalNotice, notice, suspend, closeDay int
	}{
		{"demo", UnitSecond, []int{0, 4, 7, 11, 15, 20}, 27, 29, 30, 600},
		{"fast", UnitDay, []int{0, 1, 3, 5, 7, 10}, 12, 13, 14, 44},
		{"standard", UnitDay, []int{0, 4, 7, 11, 15, 20}, 27, 29, 30, 60},
	}
	got := Shipped()
	if len(got) != len(want) {
		t.Fatalf("%d policies are shipped, want %d", len(got), len(want))
	}
	for i, w := range want {
		p := got[i]
		if p.Name != w.name || p.Version != 1 || p.Unit != w.unit || !cmp.Equal(p.Rounds, w.rounds) ||
			p.FinalNotice != w.finalNotice || p.SuspensionNotice != w.notice || p.Suspend != w.suspend || p.Close != w.closeDay {
			t.Errorf("policy %d is %+v, want %+v", i, p, w)
		}
		if p.MarketplaceFunds {
			t.Errorf("%s lets advance funds pay marketplace invoices, against AF2's default", p.Name)
		}
		if got := p.SuspendsAbove(money.MustCurrency("USD")); got != money.New(100, money.MustCurrency("USD")) {
			t.Errorf("%s suspends above %v, want USD 1.00", p.Name, got)
		}
		found, err := Find(w.name, 1)
		if err != nil || !cmp.Equal(found, p) {
			t.Errorf("Find(%q, 1) = %+v, %v", w.name, found, err)
		}
		if latest, err := Latest(w.name); err != nil || latest.Version != 1 {
			t.Errorf("Latest(%q) = %+v, %v", w.name, latest, err)
		}
	}
}

func TestD5UnknownPolicySaysWhatThereIs(t *testing.T) {
	_, err := Find("standard", 7)
	if err == nil || !strings.Contains(err.Error(), "fast version 1") {
		t.Errorf("Find of an unknown version: %v", err)
	}
	_, err = Latest("gentle")
	if err == nil || !strings.Contains(err.Error(), `"gentle"`) || !strings.Contains(err.Error(), "standard version 1") {
		t.Errorf("Latest of an unknown name: %v", err)
	}
}

// A caller who changes what it was given must not change the policy of everybody else.
func TestShippedPoliciesCannotBeChanged(t *testing.T) {
	p, err := Find("standard", 1)
	if err != nil {
		t.Fatal(err)
	}
	p.Rounds[1] = 99
	p.MinimumToSuspend["USD"] = 99
	again, err := Find("standard", 1)
	if err != nil || again.Rounds[1] != 4 || again.SuspendsAbove(money.MustCurrency("USD")).Minor() != 100 {
		t.Errorf("the shipped policy became %+v, %v", again, err)
	}
}

const goodPolicy = `name: gentle
version: 3
unit: day
rounds: [0, 5]
final_notice: 9
suspension_notice: 10
suspend: 12
close: 40
minimum_to_suspend: {default: 100, JPY: 500}
second_person_above:
  default: 5
marketplace_funds: true
`

func TestParsePolicy(t *testing.T) {
	p, err := ParsePolicy([]byte(goodPolicy))
	if err != nil {
		t.Fatal(err)
	}
	want := Policy{
		Name: "gentle", Version: 3, Unit: UnitDay, Rounds: []int{0, 5},
		FinalNotice: 9, SuspensionNotice: 10, Suspend: 12, Close: 40,
		MinimumToSuspend:  map[string]int64{"default": 100, "JPY": 500},
		SecondPersonAbove: map[string]int64{"default": 5},
		MarketplaceFunds:  true,
		ChargesPerDay:     DefaultChargesPerDay,
		Limits:            Limits{HoldDays: 14, HoldExtendable: true, PromiseDays: 30, PromisesPerInvoice: 1, PromiseEveryDays: 365, ExtendDays: 30},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if got := p.SuspendsAbove(money.MustCurrency("JPY")).String(); got != "JPY 500" {
		t.Errorf("suspends above %s", got)
	}
	if got := p.SecondPersonFrom(money.MustCurrency("KWD")).String(); got != "KWD 0.005" {
		t.Errorf("second person above %s", got)
	}
}

// A policy may stop early: without a suspension there is none after it either.
func TestParsePolicyWithoutLaterSteps(t *testing.T) {
	short := regexp.MustCompile(`(?m)^(suspension_notice|suspend|close):.*\n`).ReplaceAllString(goodPolicy, "")
	p, err := ParsePolicy([]byte(short))
	if err != nil || p.FinalNotice != 9 || p.Suspend != 0 {
		t.Errorf("got %+v, %v", p, err)
	}
}

var column = regexp.MustCompile(`, column \d+`)

// A file with several mistakes names them all at once, in its order, each with line, column and field, and with what is allowed.
func TestParsePolicyNamesEveryMistake(t *testing.T) {
	_, err := ParsePolicy([]byte(`name: Gentle
version:   1.5
unit: week
rounds: [0, x, 7]
final_notice: 9
suspension_notice: 8
minimum_to_suspend:
  default: -1
  EURO: 5
grace: 3
marketplace_funds: false
`))
	want := PolicyProblems{
		{1, 1, "second_person_above", "is missing"},
		{1, 7, "name", `"Gentle" must be 1 to 32 of a-z, 0-9 and -, starting with a letter`},
		{2, 12, "version", "want a whole number, got Float 1.5"},
		{3, 7, "unit", `must be "day" or "second", got "week"`},
		{4, 13, "rounds[1]", "want a whole number, got String x"},
		{6, 20, "suspension_notice", "must come after final_notice (9), got 8"},
		{8, 12, "minimum_to_suspend.default", "must be 0 or more, in minor units, got -1"},
		{9, 9, "minimum_to_suspend.EURO", `is neither an ISO 4217 currency nor "default"`},
		{10, 8, "grace", "is not a field of a policy; those are " + strings.Join(policyFields, ", ")},
	}
	var got PolicyProblems
	if !errors.As(err, &got) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(err.Error(), "policy: 9 problems\n  line 1, column 1, field second_person_above: is missing\n  line 1, column 7, field name: ") {
		t.Error(err)
	}
}

// What a policy's fields are is said in three places; this keeps them one.
func TestPolicyFieldsAreThoseOfTheStandardPolicy(t *testing.T) {
	text, err := policyFiles.ReadFile("policies/standard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^(\w+):`).FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1])
	}
	if diff := cmp.Diff(policyFields, got); diff != "" {
		t.Error(diff)
	}
}

func TestParsePolicyNamesLineAndField(t *testing.T) {
	cases := []struct{ old, new, want string }{
		{"version: 3", "version: 1.5", "line 2, field version: want a whole number"},
		{"version: 3", `version: "3"`, "line 2, field version: want a whole number"},
		{"version: 3", "version: 0x3", "line 2, field version: want a whole number"},
		{"version: 3", "version: ~", "line 2, field version: want a whole number"},
		{"version: 3", "version: 0", "line 2, field version: must be 1 or more"},
		{"version: 3", "version: 99999999999999999999", "line 2, field version: want a whole number"},
		{"version: 3", "version: &a 3", "line 2, field version: want a whole number"},
		{"version: 3\n", "", "line 1, field version: is missing"},
		{"version: 3", "version: 3\nversion: 4", `line 3: mapping key "version" already defined`},
		{"name: gentle", "name: Gentle", `line 1, field name: "Gentle" must be`},
		{"name: gentle", "name: 5", "line 1, field name: want text"},
		{"unit: day", "unit: week", `line 3, field unit: must be "day" or "second"`},
		{"[0, 5]", "[0, ~]", "line 4, field rounds[1]: want a whole number"},
		{"[0, 5]", "5", "line 4, field rounds: want a list"},
		{"[0, 5]", "[]", "line 4, field rounds: needs at least the round 0"},
		{"[0, 5]", "[1, 5]", "line 4, field rounds: the first round must be 0"},
		{"[0, 5]", "[0, 5, 5]", "line 4, field rounds: must ascend"},
		{"[0, 5]", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]", "line 4, field rounds: at most 15"},
		{"[0, 5]", "[0, 9]", "line 5, field final_notice: must come after the last round (9), got 9"},
		{"final_notice: 9\n", "", "line 5, field suspension_notice: needs final_notice"},
		{"suspend: 12", "suspend: 10", "line 7, field suspend: must come after suspension_notice (10), got 10"},
		{"close: 40", "close: 4000", "line 8, field close: must be at most 1000"},
		{"{default: 100, JPY: 500}", "{JPY: 500}", "line 9, field minimum_to_suspend: needs an amount \"default\""},
		{"{default: 100, JPY: 500}", "{default: 100, jpy: 500}", "line 9, field minimum_to_suspend.jpy: is neither"},
		{"{default: 100, JPY: 500}", "100", "line 9, field minimum_to_suspend: want amounts by currency"},
		{"  default: 5", "  default: -5", "line 11, field second_person_above.default: must be 0 or more"},
		{"marketplace_funds: true", "marketplace_funds: true\ncharges_per_day: 0", "line 13, field charges_per_day: must be 1 to 100, got 0"},
		{"marketplace_funds: true", "marketplace_funds: true\ncharges_per_day: 101", "line 13, field charges_per_day: must be 1 to 100, got 101"},
		{"marketplace_funds: true", "marketplace_funds: true\ncharges_per_day: 8.0", "line 13, field charges_per_day: want a whole number"},
		{"marketplace_funds: true", "marketplace_funds: true\nhold_days: 91", "line 13, field hold_days: must be 0 to 90, got 91"},
		{"marketplace_funds: true", "marketplace_funds: true\npromise_days: -1", "line 13, field promise_days: must be 0 to 366, got -1"},
		{"marketplace_funds: true", "marketplace_funds: true\npromise_every_days: 12 months", "line 13, field promise_every_days: want a whole number"},
		{"marketplace_funds: true", "marketplace_funds: true\nhold_extendable: once", "line 13, field hold_extendable: want true or false"},
		{"marketplace_funds: true", "marketplace_funds: yes", "line 12, field marketplace_funds: want true or false"},
		{"marketplace_funds: true", "marketplace_funds: true\nrestrict: 15", "line 13, field restrict: is not a field"},
		{"marketplace_funds: true", "marketplace_funds: true\n---\nname: b", "want one document with the fields of a policy, got 2"},
		{"rounds: [0, 5]", "rounds: [0, 5", "line "},
	}
	for _, c := range cases {
		text := strings.Replace(goodPolicy, c.old, c.new, 1)
		if text == goodPolicy {
			t.Fatalf("%q is not in the good policy", c.old)
		}
		_, err := ParsePolicy([]byte(text))
		if err == nil || !strings.Contains(column.ReplaceAllString(err.Error(), ""), c.want) {
			t.Errorf("%q for %q: error %v, want %q in it", c.new, c.old, err, c.want)
		}
	}
	for _, text := range []string{"", "# nothing\n", "- a\n", "5", strings.Repeat("#", 70000)} {
		if _, err := ParsePolicy([]byte(text)); err == nil {
			t.Errorf("%.20q was taken for a policy", text)
		}
	}
}
