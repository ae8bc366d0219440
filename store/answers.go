package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// RecordAnswer books what is known of an attempt after talking to the gateway and returns what comes next, in one transaction: the
// attempt's state, the receipt, the method's state, notices. It is the one path for the answer of a call, of a look-up and of a
// webhook; the same answer again changes nothing.
func (s *Store) RecordAnswer(ctx context.Context, id billing.CaseID, attempt billing.AttemptID, answer billing.Answer) (dunning.Step, error) {
	var step dunning.Step
	err := s.withCase(ctx, id, func(e *episode) error {
		row, err := e.attemptRow(ctx, attempt)
		if err != nil {
			return err
		}
		if err := e.recordAnswer(ctx, row, answer); err != nil {
			return err
		}
		// Balances that came while the attempt was open go before the next method (AF1).
		if err := e.applyBalances(ctx); err != nil {
			return err
		}
		step, err = e.advance(ctx)
		return err
	})
	if err != nil {
		return dunning.Step{}, fmt.Errorf("record answer of attempt %s: %w", attempt, err)
	}
	return step, nil
}

func (e *episode) recordAnswer(ctx context.Context, row attemptRow, answer billing.Answer) error {
	if row.State.Final() {
		return e.recordLate(ctx, row, answer)
	}
	if notProcessed(row, answer) {
		vain, err := e.sentInVain(ctx, row)
		if err != nil {
			return err
		}
		if !vain {
			return e.resendLater(ctx, row, answer)
		}
		answer.Transient = true // nobody's fault but the gateway's (T1)
	}
	// One attempt can be sent twice at once, by a worker that was taken for dead and by the next one; their answers come in any order.
	switch {
	case row.State == billing.AttemptIntent && row.FirstSentAt != nil && answer.State != billing.AttemptNotSent:
		if err := e.sentAllTheSame(ctx, &row); err != nil {
			return err
		}
	case answer.State == billing.AttemptNotSent && (row.State == billing.AttemptPending || row.State == billing.AttemptActionRequired):
		// The second send was refused; the first is what the gateway works on.
		return e.keepOpen(ctx, row, billing.Answer{State: row.State, Message: answer.Message})
	}
	switch answer.State {
	case billing.AttemptUnknown, billing.AttemptPending, billing.AttemptActionRequired:
		return e.keepOpen(ctx, row, answer)
	case billing.AttemptSucceeded, billing.AttemptDeclined, billing.AttemptNotSent:
		return e.endAttempt(ctx, row, answer)
	case billing.AttemptIntent, billing.AttemptSent:
	}
	return fmt.Errorf("attempt %s: a gateway can't answer %q", row.ID, answer.State)
}

// notProcessed reports that nothing came of a send and the same attempt may go again: the gateway was busy, or a look-up proved that an
// unknown outcome never happened. The key stays the same, so a send that was only late does no harm (U1).
func notProcessed(row attemptRow, answer billing.Answer) bool {
	if answer.State != billing.AttemptNotSent || answer.OurConfig {
		return false
	}
	return row.State == billing.AttemptUnknown || answer.Transient && row.State == billing.AttemptSent
}

// sendsInVain is after how many unanswered sends of one key an attempt is given up, once a look-up has proved that none took anything: a
// gateway repeats what it stored under a key, an error too, so only another attempt can come to something (faults.md A6).
const sendsInVain = 3

// sentInVain reports whether an attempt that a look-up has just proved to have taken nothing is given up.
func (e *episode) sentInVain(ctx context.Context, row attemptRow) (bool, error) {
	if row.State != billing.AttemptUnknown || row.Sends < sendsInVain {
		return false, nil
	}
	// A send that the gateway refused was answered.
	const query = `select count(*)::int from attempt_events where attempt_id = $1 and from_state = 'sent' and to_state = 'unknown'`
	var unanswered int
	if err := e.tx.QueryRow(ctx, query, row.ID).Scan(&unanswered); err != nil {
		return false, fmt.Errorf("count unanswered sends of attempt %s: %w", row.ID, err)
	}
	return unanswered >= sendsInVain, nil
}

// sentAllTheSame takes back an attempt's return to intent: the gateway refused one send of it and is heard of another now. The event
// bears the send's date, because nothing was sent at this moment (I13).
func (e *episode) sentAllTheSame(ctx context.Context, row *attemptRow) error {
	const update = `with back as (update attempts set state = 'sent', next_at = null where id = $1)
		insert into attempt_events (attempt_id, at, from_state, to_state, detail) values ($1, $2, $3, $4, '{"why": "an earlier send was answered"}')`
	if _, err := e.tx.Exec(ctx, update, row.ID, row.FirstSentAt, row.State, billing.AttemptSent); err != nil {
		return fmt.Errorf("take back the return of attempt %s: %w", row.ID, err)
	}
	row.State, row.NextAt = billing.AttemptSent, nil
	return nil
}

// resendLater puts the attempt back to intent: the gateway proved that it processed nothing (D1 transient).
func (e *episode) resendLater(ctx context.Context, row attemptRow, answer billing.Answer) error {
	wait := max(e.policy.Unit.ResendAfter(row.Sends), answer.RetryAfter)
	const update = `update attempts set state = 'intent', next_at = $2, message = $3 where id = $1`
	if _, err := e.tx.Exec(ctx, update, row.ID, e.now.Add(wait), answer.Message); err != nil {
		return fmt.Errorf("resend attempt %s later: %w", row.ID, err)
	}
	return e.attemptEvent(ctx, row.ID, row.State, billing.AttemptIntent, map[string]any{"wait_seconds": int(wait.Seconds()), "message": answer.Message})
}

// keepOpen records an outcome that is not final and when to look again (U1, U3).
func (e *episode) keepOpen(ctx context.Context, row attemptRow, answer billing.Answer) error {
	unit := e.policy.Unit
	wait := unit.LookUpAfter(row.Lookups)
	if answer.State != billing.AttemptUnknown {
		wait = unit.SettlementAfter(row.Lookups)
	}
	lookups := row.Lookups + 1
	if row.State != answer.State {
		lookups = 1
	}
	heard, err := e.heardMeanwhile(ctx, row)
	if err != nil {
		return err
	}
	if heard {
		wait = 0
	}
	deadline, err := e.deadline(ctx, row, answer.State)
	if err != nil {
		return err
	}
	if deadline.After(e.now) && deadline.Before(e.now.Add(wait)) {
		wait = deadline.Sub(e.now)
	}
	if ask := orZero(row.FirstSentAt).Add(dunning.AskPersonAfter); answer.State == billing.AttemptUnknown && ask.After(e.now) {
		wait = min(wait, ask.Sub(e.now)) // a person is asked then, not at the look-up after (U1)
	}
	const update = `update attempts set state = $2, lookups = $3, next_at = $4, gateway_reference = coalesce(nullif($5, ''), gateway_reference),
		message = $6 where id = $1`
	if _, err := e.tx.Exec(ctx, update, row.ID, answer.State, lookups, e.now.Add(wait), answer.Reference, answer.Message); err != nil {
		return fmt.Errorf("keep attempt %s open: %w", row.ID, err)
	}
	if row.State != answer.State {
		if !row.State.CanBecome(answer.State) {
			return fmt.Errorf("attempt %s: %s to %s is not an edge of the state machine", row.ID, row.State, answer.State)
		}
		if err := e.attemptEvent(ctx, row.ID, row.State, answer.State, map[string]any{"message": answer.Message}); err != nil {
			return err
		}
		if err := e.attemptOnTimeline(ctx, row, string(answer.State), answer); err != nil {
			return err
		}
		if err := e.tellWaiting(ctx, row, answer.State); err != nil {
			return err
		}
	}
	// Only when cancelling it was tried: one whose wait is just heard of is cancelled first.
	if row.State == answer.State && !deadline.IsZero() && !deadline.After(e.now) {
		return e.askAboutOverdue(ctx, row, answer.State, deadline)
	}
	if answer.State == billing.AttemptUnknown && row.FirstSentAt != nil && e.now.Sub(*row.FirstSentAt) >= dunning.AskPersonAfter {
		return e.openTask(ctx, task{Kind: "outcome_unknown", Key: "outcome_unknown/" + row.ID.String(), Attempt: row.ID.String(),
			Detail: map[string]any{"since": row.FirstSentAt, "amount_minor": row.AmountMinor, "currency": row.Currency}})
	}
	return nil
}

// endAttempt records a final outcome with everything that follows from it.
func (e *episode) endAttempt(ctx context.Context, row attemptRow, answer billing.Answer) error {
	if !row.State.CanBecome(answer.State) {
		return fmt.Errorf("attempt %s: %s to %s is not an edge of the state machine", row.ID, row.State, answer.State)
	}
	m, err := e.method(ctx, row.MethodID)
	if err != nil {
		return err
	}
	ruling := dunning.Classify(dunning.Codes{Gateway: row.Gateway, Brand: m.Brand, DeclineCode: answer.DeclineCode,
		AdviceCode: answer.AdviceCode, NetworkCode: answer.NetworkCode})
	class := ruling.Class
	switch {
	case answer.State == billing.AttemptSucceeded:
		class = ""
	case answer.OurConfig:
		class = dunning.ClassOurConfig
	case answer.State == billing.AttemptNotSent && answer.Transient:
		class = dunning.ClassTransient
	case answer.State == billing.AttemptNotSent:
		class = "" // given up before it was sent
	}
	const update = `update attempts set state = $2, ended_at = $3, next_at = null,
		gateway_reference = coalesce(nullif($4, ''), gateway_reference), captured_minor = $5, captured_currency = $6, class = $7,
		decline_code = $8, advice_code = $9, network_code = $10, ruling = $11, message = $12 where id = $1`
	var captured *int64
	var currency *string
	if answer.State == billing.AttemptSucceeded {
		minor, code := answer.Captured.Minor(), answer.Captured.Currency().Code()
		captured, currency = &minor, &code
	}
	if _, err := e.tx.Exec(ctx, update, row.ID, answer.State, e.now, answer.Reference, captured, currency, class, answer.DeclineCode,
		answer.AdviceCode, answer.NetworkCode, ruling.Row, answer.Message); err != nil {
		return fmt.Errorf("end attempt %s: %w", row.ID, err)
	}
	if err := e.attemptEvent(ctx, row.ID, row.State, answer.State, map[string]any{"class": class, "code": answer.DeclineCode}); err != nil {
		return err
	}
	if err := e.attemptOnTimeline(ctx, row, string(answer.State), answer); err != nil {
		return err
	}
	if row.Sends > 1 || row.Lookups > 0 {
		// The wait for an answer was not the customer's (T1).
		if err := e.countWait(ctx, row.CreatedAt); err != nil {
			return err
		}
		if err := e.closeAttemptTasks(ctx, row, "recoup"); err != nil {
			return err
		}
	}
	switch answer.State {
	case billing.AttemptSucceeded:
		if err := e.watchForReturn(ctx, row, m.Kind); err != nil {
			return err
		}
		if err := e.heardOfReversal(ctx, row, cmp.Or(answer.Reference, row.GatewayReference)); err != nil {
			return err
		}
		return e.bookReceipt(ctx, row, m, answer)
	case billing.AttemptDeclined:
		return e.applyRuling(ctx, row, m, ruling)
	}
	if answer.OurConfig {
		return e.gatewayRefusesUs(ctx, row, answer.Message)
	}
	return nil
}

// gatewayRefusesUs pages an operator: our credentials or configuration were refused; the customer's clock does not run (D1 our_config).
func (e *episode) gatewayRefusesUs(ctx context.Context, row attemptRow, why string) error {
	return e.openTask(ctx, task{Kind: "gateway_refuses_us", Key: "gateway_refuses_us/" + row.Gateway + "/" + e.now.Format("2006-01-02"),
		Detail: map[string]any{"gateway": row.Gateway, "message": why}})
}

// applyRuling does to the method what the decline's class asks (D1, D3).
func (e *episode) applyRuling(ctx context.Context, row attemptRow, m billing.PaymentMethod, r dunning.Ruling) error {
	if r.Class == dunning.ClassOurConfig {
		return e.gatewayRefusesUs(ctx, row, r.Row)
	}
	state := stateAfter(r)
	var notBefore *time.Time
	if r.WaitAtLeast > 0 {
		at := e.now.Add(r.WaitAtLeast)
		notBefore = &at
	}
	if state != billing.MethodActive || notBefore != nil {
		// One that a person switched off meanwhile is blocked all the same: switched on again, it would be charged again.
		const update = `update payment_methods set state = case when $2 = 'active' or state = 'blocked' then state else $2 end,
			state_reason = case when $2 = 'active' or state = 'blocked' then state_reason else $3 end,
			retry_not_before = greatest(retry_not_before, $4) where id = $1`
		if _, err := e.tx.Exec(ctx, update, m.ID, state, r.SafeReason, notBefore); err != nil {
			return fmt.Errorf("apply ruling to method %s: %w", m.ID, err)
		}
	}
	if r.Class == dunning.ClassRisk {
		return e.openTask(ctx, task{Kind: "risk_review", Key: "risk_review/" + row.ID.String(), Attempt: row.ID.String(),
			Detail: map[string]any{"method": m.ID}})
	}
	return nil
}

// attemptOnTimeline records an attempt's outcome on the case's timeline.
func (e *episode) attemptOnTimeline(ctx context.Context, row attemptRow, outcome string, answer billing.Answer) error {
	c, err := money.ParseCurrency(row.Currency)
	if err != nil {
		return fmt.Errorf("attempt %s: %w", row.ID, err)
	}
	return e.event(ctx, "attempt", map[string]any{"attempt": row.ID.String(), "method": row.MethodID, "round": row.Round,
		"outcome": outcome, "amount": money.New(row.AmountMinor, c), "code": answer.DeclineCode, "reference": answer.Reference})
}
