package activities

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"recoup/billing"
)

// RefusalError is the type of the Temporal error that carries a billing.Refusal in its details: never retried, and kept out of error
// metrics, because it is an answer to a person.
const RefusalError = "Refusal"

// temporalError maps errors of the floors below to Temporal's. It is the only place that knows both.
func temporalError(err error) error {
	var refusal *billing.Refusal
	if errors.As(err, &refusal) {
		return temporal.NewApplicationErrorWithOptions(refusal.Error(), RefusalError, temporal.ApplicationErrorOptions{
			NonRetryable: true, Details: []any{*refusal}, Category: temporal.ApplicationErrorCategoryBenign,
		})
	}
	return err
}

// RefusalFrom returns the refusal inside an error that came through Temporal, or nil.
func RefusalFrom(err error) *billing.Refusal {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != RefusalError {
		return nil
	}
	var r billing.Refusal
	if app.Details(&r) != nil {
		return nil
	}
	return &r
}
