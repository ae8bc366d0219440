package stripesim

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// customerActs is the customer on the authentication page of an intent that waits for them: they prove who they are and the charge
// is tried, or they refuse and the intent falls back.
func (s *Simulator) customerActs(ctx context.Context, tx pgx.Tx, i *intent, proved bool) error {
	if i.Status != "requires_action" || i.PaymentMethod == nil {
		return s.unexpectedState(*i, "authenticate")
	}
	m, err := one[method](ctx, tx, "payment_method", *i.PaymentMethod, `select * from stripesim.payment_methods where id = $1`, *i.PaymentMethod)
	if err != nil {
		return err
	}
	if proved {
		_, err = s.confirm(ctx, tx, i, m, confirmation{authenticated: true})
	} else {
		err = s.refuse(ctx, tx, i, m, decline{Code: "payment_intent_authentication_failure", Message: "The provided PaymentMethod has failed authentication."}, "")
	}
	var refused *apiError
	if errors.As(err, &refused) && refused.PaymentIntent != nil {
		return nil // a decline is a result, and committed
	}
	return err
}
