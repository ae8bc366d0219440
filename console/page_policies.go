package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

type policiesContent struct {
	Rows  []policyLine
	Rules []ruleLine
	// Default is what everybody else follows.
	Default string
}

type policyLine struct {
	store.StoredPolicy
	Path   string
	Newest bool
	Rounds string
	Added  moment
}

type ruleLine struct {
	store.AssignmentView
	Says string
	Path string
	Made moment
}

func policyPath(name string, version int) string {
	return fmt.Sprintf("/policies/%s/%d", name, version)
}

// policies shows every version of every policy and the rules that choose among them.
func (c *console) policies(w http.ResponseWriter, r *http.Request) error {
	all, err := c.Store.Policies(r.Context())
	if err != nil {
		return err
	}
	rules, err := c.Store.Assignments(r.Context())
	if err != nil {
		return err
	}
	content := policiesContent{Default: dunning.DefaultPolicy}
	newest := map[string]int{}
	for i := len(all) - 1; i >= 0; i-- { // the newest version of each first
		p := all[i]
		newest[p.Name] = max(newest[p.Name], p.Version)
	}
	for _, p := range all {
		content.Rows = append(content.Rows, policyLine{StoredPolicy: p, Path: policyPath(p.Name, p.Version), Newest: newest[p.Name] == p.Version,
			Rounds: roundsText(p.Rounds), Added: c.moment(p.AddedAt, c.Zone.String(), false)})
	}
	for _, rule := range rules {
		version := rule.Version
		if version == 0 {
			version = newest[rule.Policy]
		}
		content.Rules = append(content.Rules, ruleLine{rule, rule.Says(), policyPath(rule.Policy, version), c.moment(rule.CreatedAt, c.Zone.String(), false)})
	}
	c.render(w, r, http.StatusOK, "policies.html", view{Title: "Policies", Nav: "policies", Content: content})
	return nil
}

func roundsText(rounds []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(rounds), " ", ", "), "[]")
}

type policyContent struct {
	Policy  store.StoredPolicy
	Added   moment
	Changes []dunning.PolicyChange // since the version before
	Before  string
	Form    policyForm
	Error   string
	Preview dunning.Preview
	Rows    []previewRow
}

// policyForm is the made-up invoice of the page's preview, as it was typed.
type policyForm struct{ Due, Zone, Amount, Currency string }

type previewRow struct {
	At     moment
	Unit   int
	Says   string
	Notice string
}

// showPolicy shows one version with the preview of an invoice that the address names.
func (c *console) showPolicy(w http.ResponseWriter, r *http.Request) error {
	name, version := r.PathValue("name"), 0
	if v, err := strconv.Atoi(r.PathValue("version")); err == nil {
		version = v
	}
	if version < 1 || dunning.CheckPolicyName(name) != nil {
		return billing.Refuse(billing.RefusedNotFound, "", "There is no such policy.")
	}
	p, err := c.Store.FindPolicy(r.Context(), name, version)
	if err != nil {
		return err
	}
	content := policyContent{Policy: p, Added: c.moment(p.AddedAt, c.Zone.String(), false)}
	if version > 1 {
		before, err := c.Store.FindPolicy(r.Context(), name, version-1)
		if err != nil {
			return err
		}
		content.Changes, content.Before = dunning.Diff(before.Policy, p.Policy), policyPath(name, version-1)
	}
	q := r.URL.Query()
	content.Form = policyForm{Due: q.Get("due"), Zone: q.Get("zone"), Amount: q.Get("amount"), Currency: q.Get("currency")}
	c.preview(&content)
	c.render(w, r, http.StatusOK, "policy.html", view{Title: fmt.Sprintf("Policy %s %d", name, version), Nav: "policies", Content: content})
	return nil
}

// preview fills in the dates of the form's invoice, or says which field is wrong.
func (c *console) preview(content *policyContent) {
	f := &content.Form
	for field, otherwise := range map[*string]string{&f.Due: c.Now().In(c.Zone).Format(time.DateOnly), &f.Zone: c.Zone.String(), &f.Amount: "49", &f.Currency: "USD"} {
		if *field == "" {
			*field = otherwise
		}
	}
	currency, err := money.ParseCurrency(strings.ToUpper(f.Currency))
	if err != nil {
		content.Error = fmt.Sprintf("%q is no currency, such as EUR.", f.Currency)
		return
	}
	amount, err := money.ParseDecimal(f.Amount, currency)
	if err != nil {
		content.Error = fmt.Sprintf("%q is no amount of %s.", f.Amount, currency)
		return
	}
	preview, err := content.Policy.Preview(dunning.PreviewInput{DueDate: f.Due, Zone: f.Zone, Amount: amount})
	if err != nil {
		content.Error = sentence(err.Error()) + "."
		return
	}
	content.Preview = preview
	seconds := content.Policy.Unit == dunning.UnitSecond
	for _, s := range preview.Steps {
		row := previewRow{At: c.moment(s.At, f.Zone, seconds), Unit: s.Unit, Says: sentence(s.Says)}
		if s.Notice != "" {
			row.Notice = sentence(string(s.Notice))
		}
		content.Rows = append(content.Rows, row)
	}
}
