package stripesim

import (
	"context"
	"regexp"
	"strings"
)

func (s *Simulator) retrieveIntent(ctx context.Context, req request) (any, error) {
	i, err := one[intent](ctx, s.pool, "payment_intent", req.id, `select * from stripesim.payment_intents where id = $1`, req.id)
	if err != nil {
		return nil, err
	}
	return s.expanded(ctx, i, req.form)
}

// expanded shows an intent with latest_charge and payment_method expanded where asked.
func (s *Simulator) expanded(ctx context.Context, i intent, f form) (any, error) {
	out := i.json().(intentJSON)
	if f.expands("latest_charge") && i.LatestCharge != nil {
		c, err := one[charge](ctx, s.pool, "charge", *i.LatestCharge, `select * from stripesim.charges where id = $1`, *i.LatestCharge)
		if err != nil {
			return nil, err
		}
		if out.LatestCharge, err = s.showCharge(ctx, s.pool, c); err != nil {
			return nil, err
		}
	}
	if f.expands("payment_method") && out.PaymentMethod != nil {
		m, err := one[method](ctx, s.pool, "payment_method", *i.PaymentMethod, `select * from stripesim.payment_methods where id = $1`, *i.PaymentMethod)
		if err != nil {
			return nil, err
		}
		out.PaymentMethod = m.json()
	}
	return out, nil
}

func (s *Simulator) listIntents(ctx context.Context, req request) (any, error) {
	limit, bad := req.limit()
	if bad != nil {
		return nil, bad
	}
	from, before, bad := req.created()
	if bad != nil {
		return nil, bad
	}
	rows, err := many[intent](ctx, s.pool, `
		select * from stripesim.payment_intents
		where ($1 = '' or customer = $1) and created >= $2 and ($3 or created < $4)
		  and ($5 = '' or seq < (select seq from stripesim.payment_intents where id = $5))
		order by seq desc limit $6`,
		req.str("customer"), from, before.IsZero(), before, req.str("starting_after"), limit+1)
	if err != nil {
		return nil, err
	}
	return s.intentPage(ctx, "list", "/v1/payment_intents", rows, limit, req.form)
}

func (s *Simulator) intentPage(ctx context.Context, object, url string, rows []intent, limit int, f form) (any, error) {
	shown := map[string]any{}
	for _, i := range rows {
		v, err := s.expanded(ctx, i, f)
		if err != nil {
			return nil, err
		}
		shown[i.ID] = v
	}
	return pageOf(object, url, rows, limit, func(i intent) any { return shown[i.ID] }), nil
}

var searchClause = regexp.MustCompile(`^(metadata\[["']([^"']+)["']\]|status|customer)\s*:\s*["']([^"']*)["']$`)

// searchIntents understands the part of Stripe's query language that finds intents by metadata, status and customer, joined by AND.
// Like Stripe's index it lags behind: what is younger than Options.SearchLag isn't found.
func (s *Simulator) searchIntents(ctx context.Context, req request) (any, error) {
	limit, bad := req.limit()
	if bad != nil {
		return nil, bad
	}
	meta := map[string]string{}
	var status, of string
	for clause := range strings.SplitSeq(req.str("query"), " AND ") {
		m := searchClause.FindStringSubmatch(strings.TrimSpace(clause))
		switch {
		case m == nil:
			return nil, invalidRequest("", "query", "We were unable to parse your search query: "+clause)
		case m[2] != "":
			meta[m[2]] = m[3]
		case m[1] == "status":
			status = m[3]
		default:
			of = m[3]
		}
	}
	rows, err := many[intent](ctx, s.pool, `
		select * from stripesim.payment_intents
		where metadata @> $1 and ($2 = '' or status = $2) and ($3 = '' or customer = $3) and created <= $4
		order by seq desc limit $5`, meta, status, of, s.now().Add(-s.opt.SearchLag), limit+1)
	if err != nil {
		return nil, err
	}
	return s.intentPage(ctx, "search_result", "/v1/payment_intents/search", rows, limit, req.form)
}
