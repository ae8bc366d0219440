package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/money"
	"recoup/store"
)

// Entries of the audit log on a case's or an account's own page, and on a page of the log.
const (
	auditBelow = 10
	auditPage  = 50
)

// auditRow is one entry of the audit log as pages show it.
type auditRow struct {
	ID                   int64
	Who, What, Why       string
	At                   moment
	Request, Origin      string
	Changes              []auditChange
	Account, AccountPath string // where the list is over several
	Case, CasePath       string
}

// auditChange is a value that differs between before and after.
type auditChange struct{ Name, Before, After string }

// auditLog is a part of the log, the newest first.
type auditLog struct {
	Rows []auditRow
	More string // the address of what is older, "" when this is all
	All  string // the log's own page
}

// auditContent is the log's own page.
type auditContent struct {
	auditLog
	Filter store.AuditFilter
	First  string
}

// auditOf is what the pages of a case and of an account show of their log; nil for who may not read it.
func (c *console) auditOf(r *http.Request, f store.AuditFilter, zone string) (*auditLog, error) {
	if !offer(r)(access.ReadAuditLog) {
		return nil, nil
	}
	f.Limit = auditBelow
	return c.readAudit(r, f, zone)
}

func (c *console) readAudit(r *http.Request, f store.AuditFilter, zone string) (*auditLog, error) {
	limit := f.Limit
	f.Limit++ // one more says whether there is more
	entries, err := c.Store.ListAuditLog(r.Context(), f)
	if err != nil {
		return nil, err
	}
	log := &auditLog{All: auditPath(f, 0)}
	if len(entries) > limit {
		entries = entries[:limit]
		log.More = auditPath(f, entries[limit-1].ID)
	}
	for _, e := range entries {
		row := auditRow{ID: e.ID, Who: e.Actor, What: sentence(e.Act), Why: e.Reason, At: c.moment(e.At, zone, true), Request: e.RequestID, Origin: e.Origin,
			Changes: c.auditChanges(e.Before, e.After, zone)}
		if f.Account == "" && f.Case == "" {
			row.Account, row.Case = string(e.Account), string(e.Case)
			row.AccountPath, row.CasePath = "/accounts/"+url.PathEscape(row.Account), casePath(e.Case)
		}
		log.Rows = append(log.Rows, row)
	}
	return log, nil
}

// auditPath is the log's page: the entries below an id, or the newest.
func auditPath(f store.AuditFilter, before int64) string {
	q := url.Values{}
	for name, value := range map[string]string{"account": string(f.Account), "case": string(f.Case), "by": f.Actor, "act": f.Act} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	if len(q) == 0 {
		return "/audit-log"
	}
	return "/audit-log?" + q.Encode()
}

// showAuditLog is the page of the log: of a case, an account, a person, or all.
func (c *console) showAuditLog(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := store.AuditFilter{Account: billing.AccountID(q.Get("account")), Case: billing.CaseID(q.Get("case")), Actor: q.Get("by"), Act: q.Get("act"), Limit: auditPage}
	if before := q.Get("before"); before != "" {
		var err error
		if f.Before, err = strconv.ParseInt(before, 10, 64); err != nil || f.Before < 1 {
			return billing.Refuse(billing.RefusedInvalid, "before", "must be the number of an entry")
		}
	}
	log, err := c.readAudit(r, f, "UTC")
	if err != nil {
		return err
	}
	content := auditContent{auditLog: *log, Filter: f}
	if f.Before > 0 {
		content.First = log.All
	}
	c.render(w, r, http.StatusOK, "audit_log.html", view{Title: "Audit log", Nav: "none", Content: content})
	return nil
}

// auditChanges says what differs between before and after, by name; of what has no before, all that came.
func (c *console) auditChanges(before, after []byte, zone string) []auditChange {
	was, is := map[string]string{}, map[string]string{}
	c.flatten(was, "", before, zone)
	c.flatten(is, "", after, zone)
	names := map[string]bool{}
	for name := range was {
		names[name] = true
	}
	for name := range is {
		names[name] = true
	}
	var changes []auditChange
	for name := range names {
		if was[name] != is[name] {
			changes = append(changes, auditChange{sentence(name), was[name], is[name]})
		}
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].Name < changes[j].Name })
	return changes
}

// flatten takes a JSON object apart into names and texts: amounts and instants as people write them.
func (c *console) flatten(into map[string]string, name string, raw json.RawMessage, zone string) {
	var amount money.Amount
	if json.Unmarshal(raw, &amount) == nil && amount.Currency().Code() != "" {
		into[name] = c.money(amount)
		return
	}
	if fields := readData(raw); len(fields) > 0 {
		for field, value := range fields {
			if name != "" {
				field = name + " " + field
			}
			c.flatten(into, field, value, zone)
		}
		return
	}
	text := eventData{"": raw}.text("")
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		m := c.moment(at, zone, false)
		text = m.Text + " " + m.Zone
	}
	if text != "" && text != "null" && text != "{}" {
		into[name] = text
	}
}
