package stripesim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Fault is something that goes wrong between a request and its answer. "Before" means before the effect: nothing was executed and
// the key is free, so that sending it again executes once. "After" means the money moved and the result is stored under the key.
type Fault string

// The faults. Where a fault has a length it is its script's or token's, else the default in the comment.
const (
	TimeoutBefore      Fault = "timeout_before_effect" // no answer; nothing happened
	TimeoutAfter       Fault = "timeout_after_effect"  // no answer; it happened
	LateEffect         Fault = "late_effect"           // no answer; it happens later (5 s), after the caller gave up
	Error500Before     Fault = "error_500_before"      // 500 from the edge; nothing happened, the key is free
	Error500After      Fault = "error_500_after"       // 500 from the edge; it happened, the key replays the true result
	Error500Stored     Fault = "error_500_stored"      // nothing happened, and the key replays the 500 for its whole window
	Error500StoredPaid Fault = "error_500_stored_paid" // it happened, and the key replays the 500: only a look-up tells
	Error503Before     Fault = "error_503_before"      // 503 with an HTML page from a proxy; nothing happened
	Slow               Fault = "slow"                  // the true answer, late (3 s)
	ResetBefore        Fault = "reset_before"          // connection reset; nothing happened
	Reset              Fault = "reset"                 // connection reset in the middle of the answer; it happened
	Malformed          Fault = "malformed"             // a truncated JSON answer; it happened
	MalformedHTML      Fault = "malformed_html"        // 200 with an HTML page; it happened
	MalformedEnum      Fault = "malformed_enum"        // a status nobody knows; it happened
	MalformedType      Fault = "malformed_type"        // a number where an object belongs; it happened
	MalformedEmpty     Fault = "malformed_empty"       // 200 and "{}"; it happened
	HugeBody           Fault = "huge_body"             // an endless answer; it happened
	RateLimited429     Fault = "rate_limited_429"      // 429 with Retry-After (2 s); nothing happened
	Conflict409        Fault = "conflict_409_then_ok"  // 409 idempotency_key_in_use; nothing happened yet
	Unauthorized401    Fault = "unauthorized_401"      // 401 as with a revoked key; nothing happened
	LookupMiss         Fault = "lookup_miss"           // an empty page from search or list, although the object exists
	WebhookLost        Fault = "webhook_lost"          // endpoint "webhook": never delivered
	WebhookDuplicate   Fault = "webhook_duplicate"     // delivered twice
	WebhookForged      Fault = "webhook_forged"        // delivered first with a wrong signature, then truly
	WebhookOld         Fault = "webhook_old"           // delivered first with a timestamp an hour old, then truly
	WebhookDelayed     Fault = "webhook_delayed"       // delivered late (5 s), after younger ones
)

var faultNotes = map[Fault]string{
	TimeoutBefore: "no answer, nothing happened", TimeoutAfter: "no answer, it happened", LateEffect: "no answer, it happens later",
	Error500Before: "500, nothing happened, key free", Error500After: "500, it happened, the key replays the true result",
	Error500Stored: "500, nothing happened, the key replays the 500", Error500StoredPaid: "500, it happened, the key replays the 500",
	Error503Before: "503 with an HTML page, nothing happened", Slow: "the true answer, late",
	ResetBefore: "connection reset, nothing happened", Reset: "connection reset in the middle of the answer, it happened",
	Malformed: "truncated JSON, it happened", MalformedHTML: "200 with HTML, it happened", MalformedEnum: "unknown status, it happened",
	MalformedType: "wrong JSON type, it happened", MalformedEmpty: "200 and {}, it happened", HugeBody: "endless answer, it happened",
	RateLimited429: "429 with Retry-After, nothing happened", Conflict409: "409 key in use, nothing happened yet",
	Unauthorized401: "401, nothing happened", LookupMiss: "empty search or list page",
	WebhookLost: "webhook never delivered", WebhookDuplicate: "webhook delivered twice", WebhookForged: "a forged webhook first",
	WebhookOld: "an hour-old webhook first", WebhookDelayed: "webhook delivered late and out of order",
}

func (f Fault) known() bool { _, ok := faultNotes[f]; return ok }

// before reports whether a fault strikes before anything is executed.
func (f Fault) before() bool {
	switch f {
	case TimeoutBefore, Error500Before, Error503Before, ResetBefore, RateLimited429, Conflict409, Unauthorized401:
		return true
	default: // the others let the effect happen, or have none
		return false
	}
}

// length is the fault's own length or its default.
func (f Fault) length(d time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	switch f {
	case LateEffect, WebhookDelayed:
		return 5 * time.Second
	case Slow:
		return 3 * time.Second
	case RateLimited429:
		return 2 * time.Second
	default: // the others have no length
		return 0
	}
}

// strike is a fault chosen for one request.
type strike struct {
	fault Fault
	delay time.Duration
}

// pickFault chooses the fault of a request: a script that matches, else the method's own on the first send of its key. What it
// returns is recorded, so that a test can tell that the faults it relies on did happen.
func (s *Simulator) pickFault(ctx context.Context, endpoint, token, key string, own behaviour) (strike, error) {
	if hit, err := s.scriptedFault(ctx, endpoint, token, key, true); err != nil || hit.fault != "" {
		return hit, err
	}
	if own.Fault == "" {
		return strike{}, nil
	}
	tag, err := s.pool.Exec(ctx, `
		insert into stripesim.faults_injected (fault, endpoint, token, idempotency_key, source, at) values ($1, $2, $3, $4, 'method', $5)
		on conflict (idempotency_key) where source = 'method' and idempotency_key <> '' do nothing`,
		own.Fault, endpoint, token, key, s.now())
	if err != nil {
		return strike{}, fmt.Errorf("record a fault: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return strike{}, nil // this key had its fault
	}
	return strike{own.Fault, own.Delay}, nil
}

// scriptedFault takes one strike from the oldest script that matches. A script without an endpoint matches writes only.
func (s *Simulator) scriptedFault(ctx context.Context, endpoint, token, key string, write bool) (strike, error) {
	if s.scripted.Load() == 0 {
		return strike{}, nil
	}
	var hit strike
	var ms int64
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			update stripesim.fault_scripts set remaining = remaining - 1 where id = (
				select id from stripesim.fault_scripts
				where remaining > 0 and (endpoint = '' and $4 or endpoint = $1)
				  and (token = '' or token = $2) and (idempotency_key = '' or idempotency_key = $3)
				order by id limit 1 for update skip locked)
			returning fault, delay_ms`, endpoint, token, key, write).Scan(&hit.fault, &ms)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into stripesim.faults_injected (fault, endpoint, token, idempotency_key, source, at)
			values ($1, $2, $3, $4, 'script', $5)`, hit.fault, endpoint, token, key, s.now())
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return strike{}, nil
	}
	if err != nil {
		return strike{}, fmt.Errorf("choose a scripted fault: %w", err)
	}
	hit.delay = time.Duration(ms) * time.Millisecond
	return hit, s.countScripts(ctx)
}

// countScripts remembers how many scripted strikes are left, so that requests without any cost no query.
func (s *Simulator) countScripts(ctx context.Context) error {
	var n int64
	if err := s.pool.QueryRow(ctx, `select coalesce(sum(remaining), 0) from stripesim.fault_scripts`).Scan(&n); err != nil {
		return fmt.Errorf("count scripted faults: %w", err)
	}
	s.scripted.Store(n)
	return nil
}
