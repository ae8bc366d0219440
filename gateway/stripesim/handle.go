package stripesim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"
)

// request is a parsed write: its form, the id in its path and its key.
type request struct {
	form
	id  string
	key string
}

// plan is a write that passed validation. run moves the money and returns the object to answer with, or an *apiError that is the
// result (a decline): both are committed and stored under the key.
type plan struct {
	token     string // the test method's token, for fault scripts
	behaviour behaviour
	run       func(ctx context.Context, tx pgx.Tx) (any, error)
}

// write serves a POST: validation (never stored), faults before the effect, the claim of the key, the effect, faults after it.
func (s *Simulator) write(endpoint string, prepare func(context.Context, request) (plan, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, bad := readForm(w, r)
		if bad != nil {
			writeError(w, bad)
			return
		}
		req := request{form: f, id: r.PathValue("id"), key: r.Header.Get("Idempotency-Key")}
		if len(req.key) > 255 {
			writeError(w, invalidRequest("", "", "Idempotency keys can be up to 255 characters long."))
			return
		}
		if req.key != "" {
			w.Header().Set("Idempotency-Key", req.key)
		}
		p, err := prepare(r.Context(), req)
		if err != nil {
			s.replayOrFail(w, r, endpoint, req, err)
			return
		}
		hit, err := s.pickFault(r.Context(), endpoint, p.token, req.key, p.behaviour)
		if err != nil {
			s.fail(w, endpoint, err)
			return
		}
		if hit.fault.before() {
			s.strikeBefore(w, r, hit, req.key)
			return
		}
		s.execute(w, r, endpoint, req, p, hit)
	})
}

// replayOrFail answers a write that no longer passes validation (its method was detached meanwhile): the stored result of its key
// where there is one, for that comes first.
func (s *Simulator) replayOrFail(w http.ResponseWriter, r *http.Request, endpoint string, req request, invalid error) {
	if req.key != "" {
		old, bad, err := s.remembered(r.Context(), req.key, r.Method+" "+r.URL.Path, hashOf(req.canonical()))
		if err == nil && bad == nil && old != nil {
			replay(w, *old)
			return
		}
	}
	s.fail(w, endpoint, invalid)
}

func replay(w http.ResponseWriter, old stored) {
	w.Header().Set("Idempotent-Replayed", "true")
	writeBody(w, old.status, old.body)
}

// execute claims the key, runs the plan and answers, as the fault lets it.
func (s *Simulator) execute(w http.ResponseWriter, r *http.Request, endpoint string, req request, p plan, hit strike) {
	// The effect does not stop when the caller hangs up.
	ctx := context.WithoutCancel(r.Context())
	if req.key != "" {
		old, bad, err := s.claim(ctx, req.key, r.Method+" "+r.URL.Path, req.canonical())
		switch {
		case err != nil:
			s.fail(w, endpoint, err)
			return
		case bad != nil:
			writeError(w, bad)
			return
		case old != nil:
			replay(w, *old)
			return
		}
	}
	if hit.fault == LateEffect {
		s.running.Go(func() {
			if !pause(s.closing, hit.fault.length(hit.delay)) {
				s.release(ctx, req.key)
				return
			}
			if _, err := s.effect(ctx, req.key, p, hit); err != nil {
				s.log.Error("gateway simulator: late effect", "endpoint", endpoint, "err", err)
			}
		})
		s.hang(w, r)
		return
	}
	result, err := s.effect(ctx, req.key, p, hit)
	if err != nil {
		s.fail(w, endpoint, err)
		return
	}
	s.strikeAfter(w, r, hit, result)
}

// effect runs the plan and stores its result in one transaction.
func (s *Simulator) effect(ctx context.Context, key string, p plan, hit strike) (stored, error) {
	var result stored
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if hit.fault == Error500Stored { // execution began, then broke: nothing moved, the 500 is the result
			result = stored{http.StatusInternalServerError, serverError().body()}
			return s.finish(ctx, tx, key, result)
		}
		object, err := p.run(ctx, tx)
		var refused *apiError
		switch {
		case errors.As(err, &refused):
			result = stored{refused.Status, refused.body()}
		case err != nil:
			return err
		default:
			body, err := json.Marshal(object)
			if err != nil {
				return err
			}
			result = stored{http.StatusOK, body}
		}
		kept := result
		if hit.fault == Error500StoredPaid {
			kept = stored{http.StatusInternalServerError, serverError().body()}
			result = kept
		}
		return s.finish(ctx, tx, key, kept)
	})
	if err != nil {
		s.release(ctx, key)
		return stored{}, err
	}
	s.nudge()
	return result, nil
}

// read serves a GET. Scripts may name it to make it fail or, for look-ups, to miss.
func (s *Simulator) read(endpoint string, answer func(context.Context, request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, bad := readForm(w, r)
		if bad != nil {
			writeError(w, bad)
			return
		}
		hit, err := s.scriptedFault(r.Context(), endpoint, "", "", false)
		if err != nil {
			s.fail(w, endpoint, err)
			return
		}
		switch {
		case hit.fault == LookupMiss:
			writeJSON(w, http.StatusOK, page{Object: "list", Data: []any{}, URL: r.URL.Path})
			return
		case hit.fault.before():
			s.strikeBefore(w, r, hit, "")
			return
		}
		object, err := answer(r.Context(), request{form: f, id: r.PathValue("id")})
		if err != nil {
			s.fail(w, endpoint, err)
			return
		}
		body, err := json.Marshal(object)
		if err != nil {
			s.fail(w, endpoint, err)
			return
		}
		s.strikeAfter(w, r, hit, stored{http.StatusOK, body})
	})
}

// fail writes a Stripe error, or logs and answers 500 for a defect of ours.
func (s *Simulator) fail(w http.ResponseWriter, endpoint string, err error) {
	var refused *apiError
	if errors.As(err, &refused) {
		writeError(w, refused)
		return
	}
	s.log.Error("gateway simulator", "endpoint", endpoint, "err", err)
	writeError(w, serverError())
}
