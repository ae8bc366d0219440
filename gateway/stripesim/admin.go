package stripesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
)

// Script asks for a fault on the next Times requests that match. Empty fields match anything; a script without an endpoint matches
// writes only. Endpoint "webhook" strikes deliveries, and Token is the event's type then.
type Script struct {
	Fault    Fault  `json:"fault"`
	Endpoint string `json:"endpoint,omitempty"` // payment_intents.create, payment_intents.search, webhook, …
	Token    string `json:"token,omitempty"`    // pm_card_visa
	Key      string `json:"key,omitempty"`      // an idempotency key
	Times    int    `json:"times,omitempty"`    // default 1
	Delay    string `json:"delay,omitempty"`    // "3s", for faults that have a length
}

// InjectedFault is one line of GET /sim/faults: a fault that did happen.
type InjectedFault struct {
	ID             int64     `json:"id"`
	Fault          Fault     `json:"fault"`
	Endpoint       string    `json:"endpoint"`
	Token          string    `json:"token"`
	IdempotencyKey string    `json:"idempotency_key"`
	Source         string    `json:"source"` // script or method
	At             time.Time `json:"at"`
}

// adminRoutes are the simulator's own controls; nothing of them exists at Stripe.
func (s *Simulator) adminRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /sim/faults", s.adminScript)
	mux.HandleFunc("GET /sim/faults", s.adminFaults)
	mux.HandleFunc("DELETE /sim/faults", s.adminClear)
	mux.HandleFunc("POST /sim/payment_intents/{id}/{step}", s.adminStep)
}

func (s *Simulator) adminScript(w http.ResponseWriter, r *http.Request) {
	var script Script
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&script); err != nil {
		writeError(w, invalidRequest("", "", "A fault script is JSON such as {\"fault\":\"slow\",\"endpoint\":\"payment_intents.create\",\"times\":2}: "+err.Error()))
		return
	}
	if !script.Fault.known() {
		writeError(w, invalidRequest("", "fault", "No such fault: '"+string(script.Fault)+"'. GET /sim/faults lists them."))
		return
	}
	var delay time.Duration
	if script.Delay != "" {
		var err error
		if delay, err = time.ParseDuration(script.Delay); err != nil || delay < 0 {
			writeError(w, invalidRequest("", "delay", "delay is a duration such as 3s, not '"+script.Delay+"'"))
			return
		}
	}
	times := max(1, script.Times)
	_, err := s.pool.Exec(r.Context(), `
		insert into stripesim.fault_scripts (fault, delay_ms, endpoint, token, idempotency_key, remaining, created)
		values ($1, $2, $3, $4, $5, $6, $7)`,
		script.Fault, delay.Milliseconds(), script.Endpoint, script.Token, script.Key, times, s.now())
	if err == nil {
		err = s.countScripts(r.Context())
	}
	if err != nil {
		s.fail(w, "sim.faults", err)
		return
	}
	writeJSON(w, http.StatusCreated, map[string]any{"scripted": script.Fault, "times": times})
}

// adminFaults lists the faults that did happen, the strikes still to come and the faults that exist.
func (s *Simulator) adminFaults(w http.ResponseWriter, r *http.Request) {
	injected, err := many[InjectedFault](r.Context(), s.pool, `select * from stripesim.faults_injected order by id`)
	if err != nil {
		s.fail(w, "sim.faults", err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"injected": injected, "remaining": s.scripted.Load(), "known": faultNotes})
}

func (s *Simulator) adminClear(w http.ResponseWriter, r *http.Request) {
	_, err := s.pool.Exec(r.Context(), `update stripesim.fault_scripts set remaining = 0 where remaining > 0`)
	if err == nil {
		err = s.countScripts(r.Context())
	}
	if err != nil {
		s.fail(w, "sim.faults", err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// adminStep advances one payment at once: settle, fail or return a bank debit, dispute a card charge, let the customer complete
// (authenticate) or refuse the authentication.
func (s *Simulator) adminStep(w http.ResponseWriter, r *http.Request) {
	var after any
	err := s.inTx(r.Context(), func(tx pgx.Tx) error {
		i, err := s.lockIntent(r.Context(), tx, r.PathValue("id"))
		if err != nil {
			return err
		}
		if err := s.adminMove(r, tx, &i, r.PathValue("step")); err != nil {
			return err
		}
		after = i.json()
		return nil
	})
	if err != nil {
		s.fail(w, "sim.step", err)
		return
	}
	s.nudge()
	writeJSON(w, http.StatusOK, after)
}

func (s *Simulator) adminMove(r *http.Request, tx pgx.Tx, i *intent, step string) error {
	ctx := r.Context()
	if step == "authenticate" || step == "refuse" {
		return s.customerActs(ctx, tx, i, step == "authenticate")
	}
	want := map[string]string{"settle": "pending", "fail": "pending", "return": "succeeded", "dispute": "succeeded"}[step]
	if want == "" {
		return invalidRequest("", "step", "The steps are settle, fail, return, dispute, authenticate and refuse.")
	}
	c, err := one[charge](ctx, tx, "charge", i.ID, `
		select * from stripesim.charges where payment_intent = $1 and status = $2 and not returned for update`, i.ID, want)
	var none *apiError
	if errors.As(err, &none) {
		return invalidRequest("", "step", fmt.Sprintf("To %s it, the payment needs a charge that is %s; the intent is %s.", step, want, i.Status))
	}
	if err != nil {
		return err
	}
	if step == "dispute" {
		return s.takeBack(ctx, tx, c, "fraudulent")
	}
	return s.step(ctx, tx, i, c, step)
}
