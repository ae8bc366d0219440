package billing

import (
	"cmp"
	"fmt"
	"slices"

	"recoup/money"
)

// table is an invoice while credits are put on it: what is still due, and what each line has got.
type table struct {
	invoice Invoice
	due     money.Amount
	applied map[int]money.Amount // by position
}

func newTable(invoice Invoice, earlier []Application) (*table, error) {
	due, err := invoice.Due()
	if err != nil {
		return nil, err
	}
	t := &table{invoice: invoice, due: due, applied: map[int]money.Amount{}}
	for _, l := range invoice.Lines {
		if err := oneCurrency(fmt.Sprintf("line %d", l.Position), l.Amount, due.Currency()); err != nil {
			return nil, err
		}
		if _, twice := t.applied[l.Position]; twice {
			return nil, fmt.Errorf("line %d is there twice", l.Position)
		}
		t.applied[l.Position] = money.Zero(due.Currency())
	}
	for _, a := range earlier {
		got, ok := t.applied[a.Line]
		if !ok {
			return nil, fmt.Errorf("credit %s was put on line %d, which is not there", a.Credit, a.Line)
		}
		if t.applied[a.Line], err = got.Add(a.Amount); err != nil {
			return nil, fmt.Errorf("line %d: %w", a.Line, err)
		}
	}
	return t, nil
}

// charge is what one service still costs, as one credit sees it: only the lines it may pay, discounts among them taken off.
type charge struct {
	service string
	left    money.Amount
	lines   []openLine // with a charge left, the largest first
}

type openLine struct {
	position int
	left     money.Amount
}

// charges returns the services a credit may pay, the largest charge first, ties by name (CR2).
func (t *table) charges(c Credit) ([]charge, error) {
	byService := map[string]*charge{}
	for _, l := range t.invoice.Lines {
		if !c.Pays(t.invoice, l) {
			continue
		}
		s, ok := byService[l.Service]
		if !ok {
			s = &charge{service: l.Service, left: money.Zero(t.due.Currency())}
			byService[l.Service] = s
		}
		left, err := l.Amount.Sub(t.applied[l.Position])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", l.Position, err)
		}
		if s.left, err = s.left.Add(left); err != nil {
			return nil, fmt.Errorf("service %s: %w", l.Service, err)
		}
		if left.IsPositive() {
			s.lines = append(s.lines, openLine{l.Position, left})
		}
	}
	var out []charge
	for _, s := range byService {
		if !s.left.IsPositive() {
			continue
		}
		slices.SortFunc(s.lines, func(a, b openLine) int {
			return cmp.Or(cmp.Compare(b.left.Minor(), a.left.Minor()), cmp.Compare(a.position, b.position))
		})
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b charge) int {
		return cmp.Or(cmp.Compare(b.left.Minor(), a.left.Minor()), cmp.Compare(a.service, b.service))
	})
	return out, nil
}

// apply puts as much of a credit on the invoice as it may pay.
func (t *table) apply(c Credit) ([]Application, error) {
	charges, err := t.charges(c)
	if err != nil {
		return nil, err
	}
	var out []Application
	rest := c.Remaining.Minor()
	for _, s := range charges {
		serviceLeft := s.left.Minor()
		for _, l := range s.lines {
			n := min(rest, t.due.Minor(), serviceLeft, l.left.Minor())
			if n <= 0 {
				continue
			}
			lot := money.New(n, t.due.Currency())
			rest, serviceLeft = rest-n, serviceLeft-n
			if t.due, err = t.due.Sub(lot); err != nil {
				return nil, err
			}
			if t.applied[l.position], err = t.applied[l.position].Add(lot); err != nil {
				return nil, err
			}
			out = append(out, Application{Credit: c.ID, Line: l.position, Service: s.service, Amount: lot})
		}
	}
	return out, nil
}
