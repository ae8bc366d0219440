package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/store"
)

// logCommand takes the audit log out of Recoup.
func logCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "log", Short: "export the audit log: who did what, when, why, with what before and after",
		Long: `The audit log has every act of a person: decisions, imports, orders to stop charging, policies, tokens, sign-ins. It is
append-only. The export is one snapshot, the oldest entry first; that it was made is an entry itself.`,
		Example: `  recoup log --from 2026-11-01 --to 2026-12-01 > november.jsonl
  recoup log --account acme --format csv
  recoup log --case inv-1 --format csv`,
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	from, to := flags.String("from", "", "first day, 2026-11-01 (UTC)"), flags.String("to", "", "day after the last, 2026-12-01 (UTC)")
	kase := flags.String("case", "", "only this case, and what was decided about its account as a whole")
	account, actor, act := flags.String("account", "", "only this account"), flags.String("by", "", "only this actor"), flags.String("act", "", "only this act, such as write_off")
	format := flags.String("format", "jsonl", "jsonl or csv")
	c.RunE = func(c *cobra.Command, _ []string) error {
		f := store.AuditFilter{Account: billing.AccountID(*account), Case: billing.CaseID(*kase), Actor: *actor, Act: *act}
		var err error
		if f.From, err = dayFlag("--from", *from); err != nil {
			return err
		}
		if f.To, err = dayFlag("--to", *to); err != nil {
			return err
		}
		take, flush, err := auditWriter(c.OutOrStdout(), *format)
		if err != nil {
			return err
		}
		return withStore(c, open, func(s *store.Store) error {
			n := 0
			err := s.ExportAuditLog(c.Context(), f, actorOr(""), func(e store.AuditEntry) error { n++; return take(e) })
			if err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "%d entries.\n", n)
			return flush()
		})
	}
	return c
}

func dayFlag(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, billing.Refuse(billing.RefusedInvalid, flag, "%q is not a day such as 2026-11-01", text)
	}
	return day, nil
}

// auditRow is one entry as JSON; also the column names of CSV.
type auditRow struct {
	ID        int64           `json:"id"`
	At        time.Time       `json:"at"`
	Actor     string          `json:"actor"`
	Act       string          `json:"act"`
	Reason    string          `json:"reason,omitempty"`
	RequestID string          `json:"request_id,omitempty"`
	Origin    string          `json:"origin,omitempty"`
	Account   string          `json:"account,omitempty"`
	Invoice   string          `json:"invoice,omitempty"`
	Case      string          `json:"case,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
}

func auditWriter(w io.Writer, format string) (take func(store.AuditEntry) error, flush func() error, err error) {
	switch format {
	case "jsonl":
		out := json.NewEncoder(w)
		return func(e store.AuditEntry) error {
			return out.Encode(auditRow{e.ID, e.At.UTC(), e.Actor, e.Act, e.Reason, e.RequestID, e.Origin, string(e.Account), string(e.Invoice), string(e.Case), e.Before, e.After})
		}, func() error { return nil }, nil
	case "csv":
		out := csv.NewWriter(w)
		if err := out.Write([]string{"id", "at", "actor", "act", "reason", "request_id", "origin", "account", "invoice", "case", "before", "after"}); err != nil {
			return nil, nil, err
		}
		return func(e store.AuditEntry) error {
			return out.Write([]string{strconv.FormatInt(e.ID, 10), e.At.UTC().Format(time.RFC3339Nano), plain(e.Actor), e.Act, plain(e.Reason), e.RequestID,
				e.Origin, string(e.Account), string(e.Invoice), string(e.Case), string(e.Before), string(e.After)})
		}, func() error { out.Flush(); return out.Error() }, nil
	}
	return nil, nil, billing.Refuse(billing.RefusedInvalid, "--format", "%q is neither jsonl nor csv", format)
}

// plain keeps a spreadsheet from running what a person wrote as a formula.
func plain(text string) string {
	if text != "" && (text[0] == '=' || text[0] == '+' || text[0] == '-' || text[0] == '@' || text[0] == '\t' || text[0] == '\r') {
		return "'" + text
	}
	return text
}
