package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"recoup/gateway/stripesim"
)

// script asks the gateway for a fault on its next requests.
func (r *run) script(ctx context.Context, a Act) bool {
	s := stripesim.Script{Fault: a.Fault, Endpoint: "payment_intents.create", Times: a.Times}
	switch {
	case a.Fault == stripesim.WebhookLost:
		// What a lost one told is found by the next look-up. A dispute of a card is told by its webhook alone (docs/gateway-events.md).
		s.Endpoint, s.Token = "webhook", "payment_intent.succeeded"
	case slices.Contains(webhookFaults, a.Fault):
		s.Endpoint = "webhook"
	case slices.Contains(lookUpFaults, a.Fault):
		s.Endpoint = "payment_intents.search"
	case a.Fault == stripesim.LateEffect:
		s.Delay = lateEffect[1:]
	}
	return r.rig.Simulate(ctx, "/sim/faults", s) == nil
}

// gatewayDown fails every call for some seconds: an outage that no customer is to blame for (T1).
func (r *run) gatewayDown(ctx context.Context, a Act) bool {
	for _, endpoint := range []string{"create", "confirm", "cancel", "retrieve", "list", "search"} {
		s := stripesim.Script{Fault: stripesim.Error503Before, Endpoint: "payment_intents." + endpoint, Times: 100_000}
		if r.rig.Simulate(ctx, "/sim/faults", s) != nil {
			r.noScripts(context.WithoutCancel(ctx))
			return false
		}
	}
	sleep(ctx, a.For)
	if r.noScripts(context.WithoutCancel(ctx)) == nil {
		r.tally.did(a.Kind)
	}
	return true
}

// noScripts ends all scripted faults.
func (r *run) noScripts(ctx context.Context) error {
	var err error
	for range importTries { // Postgres may be away below the gateway
		if err = r.askGateway(ctx, http.MethodDelete, "/sim/faults", nil); err == nil {
			return nil
		}
		if !sleep(ctx, pollEvery) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("end the gateway's faults: %w", err)
}

// injected counts the faults that did happen, whether scripted or a method's own.
func (r *run) injected(ctx context.Context) (map[stripesim.Fault]int, error) {
	var answer struct {
		Injected []stripesim.InjectedFault `json:"injected"`
	}
	if err := r.askGateway(ctx, http.MethodGet, "/sim/faults", &answer); err != nil {
		return nil, err
	}
	counts := map[stripesim.Fault]int{}
	for _, f := range answer.Injected {
		counts[f.Fault]++
	}
	return counts, nil
}

func (r *run) askGateway(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, r.rig.GatewayURL()+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode > 299 {
		return fmt.Errorf("%s %s answered %s", method, path, resp.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// happensWithin is how long is waited for a payment that can be moved on: an ACH debit has to settle first.
const happensWithin = 40 * time.Second

// later moves a payment on at the gateway, as a customer, a bank or a card network does.
func (r *run) later(ctx context.Context, a Act) bool {
	step := map[Kind]string{Disputed: "dispute", Returned: "return", CustomerConfirmed: "authenticate", CustomerRefused: "refuse"}[a.Kind]
	const query = `select a.gateway_reference from attempts a join payment_methods m on m.id = a.method_id
		where a.state = $1 and m.kind = any($2) and a.gateway_reference <> ''
		  and not exists (select 1 from reversals v where v.attempt_id = a.id)
		order by md5(a.id::text || $3) limit 1`
	state, kinds := "succeeded", []string{"card"}
	switch a.Kind {
	case Returned:
		kinds = []string{"us_bank_account"}
	case CustomerConfirmed, CustomerRefused:
		state = "action_required"
	}
	return within(ctx, happensWithin, func() bool {
		var intent string
		if err := r.rig.Store.Pool().QueryRow(ctx, query, state, kinds, fmt.Sprint(a.Pick)).Scan(&intent); err != nil {
			return false
		}
		if r.rig.Simulate(ctx, "/sim/payment_intents/"+intent+"/"+step, nil) != nil {
			a.Pick++ // it went on by itself, or was taken back before
			return false
		}
		r.tally.did(a.Kind)
		return true
	})
}
