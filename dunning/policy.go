package dunning

import (
	"embed"
	"fmt"
	"sort"
	"sync"

	"recoup/money"
)

// Unit is what a policy counts in.
type Unit string

// The units of a policy.
const (
	UnitDay    Unit = "day"    // local days of the account, at 09:00 (T2)
	UnitSecond Unit = "second" // for demonstrations: no mornings, no jitter, no quiet hours
)

// DefaultAmount is the key of a policy's amounts that serves every currency without one of its own.
const DefaultAmount = "default"

// Policy is the numbered document a case follows (D5). All steps count units from the case's start; 0 means there is no such step,
// and without a step there is none of the later ones either. A case keeps the version it was opened with.
type Policy struct {
	Name    string
	Version int
	Unit    Unit

	Rounds           []int // ascending, the first is 0: the case's start
	FinalNotice      int   // automatic attempts end
	SuspensionNotice int   // the last reminder
	Suspend          int
	Close            int

	// MinimumToSuspend (S2) and SecondPersonAbove (R2) are in minor units by ISO 4217 code, with DefaultAmount for the others.
	MinimumToSuspend  map[string]int64
	SecondPersonAbove map[string]int64
	// ChargesPerDay bounds the attempts sent for one invoice within 24 hours, against a runaway loop (faults.md J5).
	ChargesPerDay int
	// MarketplaceFunds lets advance funds pay marketplace invoices (AF2).
	MarketplaceFunds bool
	// Limits bound what people may decide.
	Limits Limits
}

//go:embed policies/*.yaml
var policyFiles embed.FS

// ShippedPolicy is a policy with the file it comes in.
type ShippedPolicy struct {
	Policy
	File     string // policies/standard.yaml
	Document string // its text
}

var shipped = sync.OnceValue(func() []ShippedPolicy {
	policies, err := readPolicies()
	if err != nil {
		panic(err) // the files are part of the binary: only a broken build gets here
	}
	return policies
})

func readPolicies() ([]ShippedPolicy, error) {
	entries, err := policyFiles.ReadDir("policies")
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	var policies []ShippedPolicy
	for _, e := range entries {
		data, err := policyFiles.ReadFile("policies/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("policies: %w", err)
		}
		p, err := ParsePolicy(data)
		if err != nil {
			return nil, fmt.Errorf("policies/%s: %w", e.Name(), err)
		}
		policies = append(policies, ShippedPolicy{p, "policies/" + e.Name(), string(data)})
	}
	sort.Slice(policies, func(i, j int) bool {
		a, b := policies[i], policies[j]
		return a.Name < b.Name || a.Name == b.Name && a.Version < b.Version
	})
	for i := 1; i < len(policies); i++ {
		if a, b := policies[i-1], policies[i]; a.Name == b.Name && a.Version == b.Version {
			return nil, fmt.Errorf("policies: %s version %d is there twice", a.Name, a.Version)
		}
	}
	return policies, nil
}

// Shipped returns every version of every policy that is part of Recoup, by name and version (D5).
func Shipped() []Policy {
	all := shipped()
	out := make([]Policy, len(all))
	for i, p := range all {
		out[i] = p.clone()
	}
	return out
}

// ShippedFiles is Shipped with the files: what `recoup migrate` puts into the database.
func ShippedFiles() []ShippedPolicy {
	all := shipped()
	out := make([]ShippedPolicy, len(all))
	for i, p := range all {
		out[i] = ShippedPolicy{p.clone(), p.File, p.Document}
	}
	return out
}

// Find returns one version of a shipped policy; an unknown name or version is an error that lists what there
// is. Cases follow what is stored, which may be more (store.FindPolicy).
func Find(name string, version int) (Policy, error) {
	for _, p := range shipped() {
		if p.Name == name && p.Version == version {
			return p.clone(), nil
		}
	}
	return Policy{}, fmt.Errorf("no policy %q version %d; there are %s", name, version, shippedNames())
}

// Latest returns the highest version of a shipped policy.
func Latest(name string) (Policy, error) {
	all := shipped()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Name == name {
			return all[i].clone(), nil
		}
	}
	return Policy{}, fmt.Errorf("no policy %q; there are %s", name, shippedNames())
}

func shippedNames() string {
	names := ""
	for _, p := range shipped() {
		if names != "" {
			names += ", "
		}
		names += fmt.Sprintf("%s version %d", p.Name, p.Version)
	}
	return names
}

// SuspendsAbove returns the sum from which an account may be suspended (S2): what is due must reach it.
func (p Policy) SuspendsAbove(c money.Currency) money.Amount {
	return money.New(amountIn(p.MinimumToSuspend, c), c)
}

// SecondPersonFrom returns the sum above which a person's decision needs a second person (R2).
func (p Policy) SecondPersonFrom(c money.Currency) money.Amount {
	return money.New(amountIn(p.SecondPersonAbove, c), c)
}

func amountIn(amounts map[string]int64, c money.Currency) int64 {
	if minor, ok := amounts[c.Code()]; ok {
		return minor
	}
	return amounts[DefaultAmount]
}

func (p Policy) clone() Policy {
	p.Rounds = append([]int(nil), p.Rounds...)
	p.MinimumToSuspend = cloneAmounts(p.MinimumToSuspend)
	p.SecondPersonAbove = cloneAmounts(p.SecondPersonAbove)
	return p
}

func cloneAmounts(amounts map[string]int64) map[string]int64 {
	out := make(map[string]int64, len(amounts))
	for code, minor := range amounts {
		out[code] = minor
	}
	return out
}
