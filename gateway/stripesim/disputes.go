package stripesim

import (
	"context"
	"time"
)

type dispute struct {
	ID            string
	Seq           int64
	Charge        string
	PaymentIntent string
	Amount        int64
	Currency      string
	Reason        string
	Status        string
	Created       time.Time
}

func (d dispute) json() any {
	return disputeJSON{ID: d.ID, Object: "dispute", Amount: d.Amount, BalanceTransactions: []any{},
		Charge: d.Charge, Created: d.Created.Unix(), Currency: d.Currency, EnhancedEligibilityTypes: []string{}, Evidence: map[string]any{"enhanced_evidence": map[string]any{}},
		EvidenceDetails: map[string]any{"enhanced_eligibility": map[string]any{}, "has_evidence": false, "past_due": false, "submission_count": 0},
		Metadata:        map[string]string{}, PaymentIntent: d.PaymentIntent, Reason: d.Reason, Status: d.Status}
}

func (s *Simulator) retrieveDispute(ctx context.Context, req request) (any, error) {
	d, err := one[dispute](ctx, s.pool, "dispute", req.id, `select * from stripesim.disputes where id = $1`, req.id)
	if err != nil {
		return nil, err
	}
	return d.json(), nil
}

func (s *Simulator) listDisputes(ctx context.Context, req request) (any, error) {
	limit, bad := req.limit()
	if bad != nil {
		return nil, bad
	}
	from, before, bad := req.created()
	if bad != nil {
		return nil, bad
	}
	rows, err := many[dispute](ctx, s.pool, `
		select * from stripesim.disputes
		where ($1 = '' or charge = $1) and ($2 = '' or payment_intent = $2) and ($3 = '' or seq < (select seq from stripesim.disputes where id = $3))
		  and created >= $5 and ($6 or created < $7)
		order by seq desc limit $4`, req.str("charge"), req.str("payment_intent"), req.str("starting_after"), limit+1, from, before.IsZero(), before)
	if err != nil {
		return nil, err
	}
	return pageOf("list", "/v1/disputes", rows, limit, dispute.json), nil
}
