package console

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// addAuditAPI gives programs the audit log of one case or one account; the whole of it is recoup log.
func (c *console) addAuditAPI(api huma.API) {
	huma.Get(api, "/api/cases/{id}/audit-log", c.apiCaseLog, describe("case-audit-log", "What people did about a case", "Cases"), wants(access.ReadAuditLog))
	huma.Get(api, "/api/cases/{id}/{episode}/audit-log", c.apiEpisodeLog, describe("episode-audit-log", "What people did about a later episode", "Cases"),
		wants(access.ReadAuditLog))
	huma.Get(api, "/api/accounts/{id}/audit-log", c.apiAccountLog, describe("account-audit-log", "What people did about an account and its cases", "Accounts"),
		wants(access.ReadAuditLog))
}

type auditInput struct {
	ID     string `path:"id" maxLength:"64"`
	Before int64  `query:"before" minimum:"0" doc:"next of the page before: only entries below it"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type auditEpisodeInput struct {
	auditInput
	Episode int `path:"episode" minimum:"1" maximum:"1000000"`
}

type auditOutput struct {
	Body struct {
		Entries []auditJSON `json:"entries" doc:"the newest first"`
		Next    int64       `json:"next,omitempty" doc:"give it as before for what is older; absent on the last page"`
	}
}

// auditJSON is one entry: who, what, when, why, before and after, by which request, from where.
type auditJSON struct {
	ID        int64             `json:"id"`
	At        time.Time         `json:"at"`
	Actor     string            `json:"actor"`
	Act       string            `json:"act"`
	Reason    string            `json:"reason"`
	RequestID string            `json:"request_id"`
	Origin    string            `json:"origin,omitempty" doc:"door, session or token, address"`
	Account   billing.AccountID `json:"account,omitempty"`
	Invoice   billing.InvoiceID `json:"invoice,omitempty"`
	Case      billing.CaseID    `json:"case,omitempty"`
	Before    map[string]any    `json:"before,omitempty"`
	After     map[string]any    `json:"after,omitempty"`
}

func (c *console) apiCaseLog(ctx context.Context, in *auditInput) (*auditOutput, error) {
	return c.caseLog(ctx, billing.CaseID(in.ID), in)
}

func (c *console) apiEpisodeLog(ctx context.Context, in *auditEpisodeInput) (*auditOutput, error) {
	id := in.ID
	if in.Episode > 1 {
		id += "/" + strconv.Itoa(in.Episode)
	}
	return c.caseLog(ctx, billing.CaseID(id), &in.auditInput)
}

// caseLog is a case's log; one that nobody has touched is told from one that isn't there.
func (c *console) caseLog(ctx context.Context, id billing.CaseID, in *auditInput) (*auditOutput, error) {
	out, err := c.auditJSON(ctx, store.AuditFilter{Case: id, Before: in.Before, Limit: in.Limit})
	if err == nil && len(out.Body.Entries) == 0 {
		if _, err := c.Store.FindCase(ctx, id); err != nil {
			return nil, c.apiError("audit log", err)
		}
	}
	return out, err
}

func (c *console) apiAccountLog(ctx context.Context, in *auditInput) (*auditOutput, error) {
	id := billing.AccountID(in.ID)
	out, err := c.auditJSON(ctx, store.AuditFilter{Account: id, Before: in.Before, Limit: in.Limit})
	if err == nil && len(out.Body.Entries) == 0 {
		if _, err := c.Store.FindAccount(ctx, id); err != nil {
			return nil, c.apiError("audit log", err)
		}
	}
	return out, err
}

func (c *console) auditJSON(ctx context.Context, f store.AuditFilter) (*auditOutput, error) {
	if f.Limit < 1 {
		f.Limit = auditPage
	}
	limit := f.Limit
	f.Limit++
	entries, err := c.Store.ListAuditLog(ctx, f)
	if err != nil {
		return nil, c.apiError("audit log", err)
	}
	out := &auditOutput{}
	out.Body.Entries = []auditJSON{}
	if len(entries) > limit {
		entries = entries[:limit]
		out.Body.Next = entries[limit-1].ID
	}
	for _, e := range entries {
		row := auditJSON{ID: e.ID, At: e.At.UTC(), Actor: e.Actor, Act: e.Act, Reason: e.Reason, RequestID: e.RequestID, Origin: e.Origin,
			Account: e.Account, Invoice: e.Invoice, Case: e.Case}
		for _, part := range []struct {
			raw  []byte
			into *map[string]any
		}{{e.Before, &row.Before}, {e.After, &row.After}} {
			if part.raw == nil {
				continue
			}
			if err := json.Unmarshal(part.raw, part.into); err != nil {
				return nil, c.apiError("audit log", err)
			}
		}
		out.Body.Entries = append(out.Body.Entries, row)
	}
	return out, nil
}
