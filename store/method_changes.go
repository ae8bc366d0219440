package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// ChangeMethods carries out what somebody does to an account's payment methods, in one transaction: validated, audited, told to the
// account (PM10), idempotent by request id (R2). Every live case of the account is told to look again (PM1, D7); an attempt that is under
// way keeps its method.
func (s *Store) ChangeMethods(ctx context.Context, c billing.MethodChange) (billing.MethodsAnswer, error) {
	var answer billing.MethodsAnswer
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := s.lockWholeAccount(ctx, tx, c.Account)
		if err != nil {
			return err
		}
		m := &methodChange{episode: e, MethodChange: c}
		if err := c.Check(e.now); err != nil {
			return err
		}
		first, err := m.firstAnswer(ctx)
		if err != nil {
			return err
		}
		if first != nil {
			answer = *first
			return nil
		}
		answer, err = m.run(ctx)
		return err
	})
	return answer, err
}

// methodChange is one change while it is carried out, on the locked account.
type methodChange struct {
	*episode
	billing.MethodChange
	methods []billing.PaymentMethod // in order, as they are and then as they become
	about   billing.MethodID        // the one that the notice names
}

// digest stands for what is asked, so that the same request id with another content is refused; tokens are not kept beside it.
func (m *methodChange) digest() ([]byte, error) {
	text, err := json.Marshal(m.MethodChange)
	sum := sha256.Sum256(text)
	return sum[:], err
}

func (m *methodChange) firstAnswer(ctx context.Context) (*billing.MethodsAnswer, error) {
	if _, err := m.tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('recoup methods ' || $1, 0))`, m.RequestID); err != nil {
		return nil, fmt.Errorf("change methods of %s: %w", m.Account, err)
	}
	var content, stored []byte
	err := m.tx.QueryRow(ctx, `select content, answer from method_changes where request_id = $1`, m.RequestID).Scan(&content, &stored)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("change methods of %s: %w", m.Account, err)
	}
	asked, err := m.digest()
	if err != nil {
		return nil, fmt.Errorf("change methods of %s: %w", m.Account, err)
	}
	if !slices.Equal(content, asked) {
		return nil, billing.Refuse(billing.RefusedConflict, "request_id", "%s was used for another change", m.RequestID)
	}
	var answer billing.MethodsAnswer
	if err := json.Unmarshal(stored, &answer); err != nil {
		return nil, fmt.Errorf("change methods of %s: %w", m.Account, err)
	}
	answer.Repeated = true
	return &answer, nil
}

// run does what was asked, keeps the last usable method (PM8), wakes the cases, tells the customer and records it.
func (m *methodChange) run(ctx context.Context) (billing.MethodsAnswer, error) {
	answer := billing.MethodsAnswer{RequestID: m.RequestID}
	var err error
	if m.methods, err = readMethods(ctx, m.tx, m.account.ID, m.now, budgetFor{}); err != nil {
		return answer, err
	}
	before := m.state()
	served, err := m.unserved(ctx)
	if err != nil {
		return answer, err
	}
	if answer.Changed, err = m.carryOut(ctx); err != nil {
		return answer, err
	}
	left, err := m.unserved(ctx)
	if err != nil {
		return answer, err
	}
	for _, currency := range left {
		if !slices.Contains(served, currency) {
			return answer, billing.Refuse(billing.RefusedNotNow, "method",
				"an invoice in %s is unpaid, and nothing would be left that can pay it: add or replace a method first (PM8)", currency)
		}
	}
	if err := m.writePlaces(ctx); err != nil {
		return answer, err
	}
	if answer.Next, err = m.wakeCases(ctx); err != nil {
		return answer, err
	}
	if err := m.tell(ctx, dunning.NoticeMethodChanged, "change-"+m.RequestID, billing.NoticeData{Method: m.about}); err != nil {
		return answer, err
	}
	answer.Method = m.about
	return answer, m.record(ctx, answer, before)
}

// unserved are the currencies of unpaid invoices that no method would be charged for by itself. Those that were unserved before a change
// may stay so (PM8).
func (m *methodChange) unserved(ctx context.Context) ([]string, error) {
	rows, _ := m.tx.Query(ctx, `select distinct on (currency) `+invoiceColumns+` from invoices i where account_id = $1 and state = 'open' order by currency`, m.account.ID)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[invoiceRow])
	if err != nil {
		return nil, fmt.Errorf("unpaid invoices of account %s: %w", m.account.ID, err)
	}
	var out []string
	for _, r := range found {
		i, err := r.invoice()
		if err != nil {
			return nil, err
		}
		serves := func(p billing.PaymentMethod) bool { return p.MayServe(m.now, i.Total.Currency()) }
		able := m.methods
		if m.account.BackupsOff && len(able) > 1 {
			able = able[:1]
		}
		if !slices.ContainsFunc(able, serves) {
			out = append(out, r.Currency)
		}
	}
	return out, nil
}

// wakeCases asks for an early round of each live case. Who brings a new instrument needn't wait; a mere change of the order gets here
// as often as it likes, and its rounds at most once in 15 minutes (D7).
func (m *methodChange) wakeCases(ctx context.Context) (string, error) {
	wake, method := `case when wake = 'person' then wake else 'machine' end`, `case when wake = 'person' then wake_method else '' end`
	switch m.MethodChange.Kind {
	case billing.MethodAdd, billing.MethodReplace, billing.MethodEnable, billing.MethodBackupsOn:
		wake, method = `'person'`, `''`
	case billing.MethodReorder, billing.MethodRemove, billing.MethodDisable, billing.MethodBackupsOff:
	}
	data := map[string]any{"change": m.MethodChange.Kind}
	if m.about != "" {
		data["method"] = m.about
	}
	sql := `with woken as (
			update cases set wake = ` + wake + `, wake_method = ` + method + ` where account_id = $1 and finished_at is null returning id),
		told as (insert into case_events (case_id, at, kind, data) select id, $2, 'methods_changed', $3 from woken)
		select count(*) from woken`
	var n int
	if err := m.tx.QueryRow(ctx, sql, m.account.ID, m.now, data).Scan(&n); err != nil {
		return "", fmt.Errorf("wake cases of account %s: %w", m.account.ID, err)
	}
	if n == 0 {
		return "nothing is being collected now", nil
	}
	return fmt.Sprintf("open cases that try again: %d", n), m.pokeAll(ctx, "methods changed")
}

// state is how the methods stand, for the audit log: ids and states only.
func (m *methodChange) state() map[string]any {
	type place struct {
		ID    billing.MethodID    `json:"id"`
		State billing.MethodState `json:"state"`
	}
	order := []place{}
	for _, p := range m.methods {
		order = append(order, place{p.ID, p.State})
	}
	return map[string]any{"methods": order, "backups": !m.account.BackupsOff}
}

func (m *methodChange) record(ctx context.Context, answer billing.MethodsAnswer, before map[string]any) error {
	stored, errS := json.Marshal(answer)
	content, errC := m.digest()
	if err := errors.Join(errS, errC); err != nil {
		return fmt.Errorf("record change of methods of %s: %w", m.Account, err)
	}
	after := m.state()
	after["changed"] = answer.Changed
	const insert = `with changed as (
			insert into method_changes (request_id, account_id, kind, actor, reason, content, answer, changed_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8))
		insert into audit_log (at, actor, act, reason, request_id, account_id, before, after)
		values ($8, $4, 'methods_' || $3, $5, $1, $2, $9, $10)`
	if _, err := m.tx.Exec(ctx, insert, m.RequestID, m.account.ID, string(m.MethodChange.Kind), m.Actor, m.Reason, content, stored, m.now, before, after); err != nil {
		return fmt.Errorf("record change of methods of %s: %w", m.Account, err)
	}
	return nil
}

func newMethodID() (billing.MethodID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("new method: %w", err)
	}
	return billing.MethodID("pm-" + id.String()), nil
}

// switchedOff is the last look at the customer's choice of backups: a backup is not charged when they were switched off while its round
// ran, unless a person chose it for the round.
func (e *episode) switchedOff(ctx context.Context, m billing.PaymentMethod, round int) (billing.Skip, error) {
	if !e.account.BackupsOff {
		return billing.SkipNone, nil
	}
	const query = `select r.only_method <> $3 and exists (select 1 from payment_methods p where p.account_id = $4 and p.removed_at is null and p.position < $5)
		from rounds r where r.case_id = $1 and r.number = $2`
	var off bool
	if err := e.tx.QueryRow(ctx, query, e.row.ID, round, m.ID, e.account.ID, m.Position).Scan(&off); err != nil {
		return "", fmt.Errorf("look at the backups of account %s: %w", e.account.ID, err)
	}
	if off {
		return billing.SkipBackupsOff, nil
	}
	return billing.SkipNone, nil
}
