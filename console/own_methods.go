package console

import (
	"context"
	"time"

	"recoup/billing"
	"recoup/store"
)

// methodsBody is a change of payment methods as programs give it.
type methodsBody struct {
	Change billing.MethodChangeKind `json:"change" maxLength:"20" doc:"add, replace, reorder, remove, disable, enable, backups_on or backups_off"`
	Reason string                   `json:"reason,omitempty" maxLength:"500" doc:"of staff; required from them"`
	Method billing.MethodID         `json:"method,omitempty" maxLength:"64" doc:"replace, remove, disable, enable: which one"`
	Order  []billing.MethodID       `json:"order,omitempty" maxItems:"100" doc:"reorder: all of them, the primary first"`
	New    *newMethodBody           `json:"new,omitempty" doc:"add, replace"`
}

// newMethodBody is a method as a gateway knows it. Card numbers are refused wherever they are given.
type newMethodBody struct {
	Gateway       string             `json:"gateway,omitempty" maxLength:"40" doc:"without it stripe"`
	Token         string             `json:"token" minLength:"1" maxLength:"255" doc:"the gateway's, never a card's number"`
	CustomerToken string             `json:"customer_token,omitempty" maxLength:"255" doc:"the gateway's customer; one's own people leave it out"`
	Kind          billing.MethodKind `json:"kind" maxLength:"20" doc:"card, us_bank_account or sepa_debit"`
	Brand         string             `json:"brand,omitempty" maxLength:"40"`
	Last4         string             `json:"last4,omitempty" maxLength:"20"`
	Expiry        string             `json:"expiry,omitempty" maxLength:"7" doc:"of a card" example:"2027-11"`
	Currency      string             `json:"currency,omitempty" maxLength:"3" doc:"the only one it takes; without it any"`
	Primary       bool               `json:"primary,omitempty" doc:"add: before all others"`
}

type changeOwnInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128"`
	Body methodsBody
}

type changeMethodsInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128"`
	ID   string `path:"id" maxLength:"64"`
	Body methodsBody
}

type changeMethodsOutput struct{ Body billing.MethodsAnswer }

func (c *console) apiChangeOwnMethods(ctx context.Context, in *changeOwnInput) (*changeMethodsOutput, error) {
	account, err := ownAccount(ctx)
	if err != nil {
		return nil, c.apiError("change methods", err)
	}
	return c.apiMethods(ctx, account, in.Key, in.Body)
}

func (c *console) apiChangeMethods(ctx context.Context, in *changeMethodsInput) (*changeMethodsOutput, error) {
	return c.apiMethods(ctx, billing.AccountID(in.ID), in.Key, in.Body)
}

func (c *console) apiMethods(ctx context.Context, account billing.AccountID, key string, b methodsBody) (*changeMethodsOutput, error) {
	change := billing.MethodChange{RequestID: key, Kind: b.Change, Method: b.Method, Order: b.Order, Reason: b.Reason}
	if b.New != nil {
		month, year, err := readExpiry(b.New.Expiry)
		if err != nil {
			return nil, c.apiError("change methods", err)
		}
		change.New = &billing.NewMethod{Gateway: b.New.Gateway, Token: b.New.Token, CustomerToken: b.New.CustomerToken, Kind: b.New.Kind, Brand: b.New.Brand,
			Last4: b.New.Last4, ExpiryMonth: month, ExpiryYear: year, Currency: b.New.Currency, Primary: b.New.Primary}
	}
	answer, err := c.changeMethods(ctx, account, change)
	if err != nil {
		return nil, c.apiError("change methods", err)
	}
	return &changeMethodsOutput{answer}, nil
}

// changeMethods does it under the name of who asks. What an account's own people ask for has an id of its own, so that it never meets
// another's (I19).
func (c *console) changeMethods(ctx context.Context, account billing.AccountID, change billing.MethodChange) (billing.MethodsAnswer, error) {
	change.Account = account
	if change.Actor == "" { // an open console asks the person
		change.Actor = c.actorOf(ctx)
	}
	asked := change.RequestID
	if p := principalOf(ctx); p != nil && p.Account != "" {
		change.Own, change.Reason = true, "changed by the customer"
		change.RequestID = store.OwnRequest(account, asked)
	}
	if change.New != nil && change.New.Gateway == "" {
		change.New.Gateway = billing.Gateways()[0]
	}
	answer, err := c.Own.ChangeMethods(ctx, change)
	answer.RequestID = asked
	return answer, err
}

// readExpiry reads "2027-11"; "" means that the instrument has none.
func readExpiry(text string) (month, year int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	t, err := time.Parse("2006-01", text)
	if err != nil {
		return 0, 0, billing.Refuse(billing.RefusedInvalid, "expiry", "%q is no month, such as 2027-11", text)
	}
	return int(t.Month()), t.Year(), nil
}
