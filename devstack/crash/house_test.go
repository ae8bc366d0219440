package crash

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/boundary"
	"recoup/devstack/rig"
)

var quietLog = slog.New(slog.DiscardHandler)

// workersKept is how many workers there are: while one starts again the others go on.
const workersKept = 3

// atOnce bounds the stories under way at the same time.
const atOnce = 100

// house is a stack whose processes die at boundaries.
type house struct {
	rig      *rig.Rig
	settings map[string]string // of its processes
	dir      string            // where boundaries are armed
	hook     *hook

	mu     sync.Mutex
	pids   map[int]int       // how processes ended
	others []string          // ends that no boundary explains
	moving map[string]string // what moves, by account
	seen   int               // looks at what moves so far
}

// build starts the house; its end is the test's.
func build(t *testing.T) *house {
	t.Helper()
	h := &house{hook: newHook(t), pids: map[int]int{}}
	var err error
	h.rig, err = rig.Start(t.Context(), rig.Options{Tags: "crash", Env: map[string]string{
		"RECOUP_SIMULATOR_BANK_DELAY": "3s", "RECOUP_SCAN_EVERY": "2s", "RECOUP_SUSPENSION_HOOK_URL": h.hook.url,
		"RECOUP_SUSPENSION_HOOK_SECRET": hookSecret, "RECOUP_SUSPENSION_HOOK_TIMEOUT": "3s", "RECOUP_LOG_LEVEL": "warn",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.rig.Stop(); err != nil {
			t.Error(err)
		}
	})
	h.dir = filepath.Join(h.rig.Dir, "crash")
	if err := os.Mkdir(h.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h.settings = map[string]string{"RECOUP_CRASH_DIR": h.dir}
	// Every account of these stories is suspended by right (S4 is tested elsewhere).
	if out, err := h.rig.Must(t.Context(), "suspensions", "limit", "--floor", "100000", "--share", "1", "--actor", "test", "--reason", "stories"); err != nil {
		t.Fatal(err, out)
	}
	for range workersKept {
		h.keep(t, "worker")
	}
	h.keep(t, "webhooks")
	return h
}

func (h *house) keep(t *testing.T, name string) {
	t.Helper()
	settings := map[string]string{"RECOUP_LOG_LEVEL": "info"} // it says when it is up
	for k, v := range h.settings {
		settings[k] = v
	}
	_, err := h.rig.Keep(t.Context(), name, settings, func(d rig.Death) {
		h.ended(d.Process.Pid(), d.Code)
		// A machine that is too busy to answer within a process' bounds is no defect of the process: it is started again.
		if d.Code != 137 && !strings.Contains(d.Process.Log(), "context deadline exceeded") {
			h.mu.Lock()
			defer h.mu.Unlock()
			text := d.Process.Log()
			h.others = append(h.others, fmt.Sprintf("%s %d ended with %d:\n%s", name, d.Process.Pid(), d.Code, text[max(0, len(text)-1500):]))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) ended(pid, code int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pids[pid] = code
}

// leavesToScan: a worker's own scan opens the cases of these stories. It is not so with all, because a scan that dies again and again is
// tried again later and later.
func (h *house) leavesToScan(s *story) bool { return s.name == "primary" || s.name == "credits" }

// arm lays down of what processes shall die while they work on an account.
func (h *house) arm(id string, labels []boundary.Label) error {
	var text strings.Builder
	for _, l := range labels {
		text.WriteString(string(l) + "\n")
	}
	return os.WriteFile(filepath.Join(h.dir, "subject-"+id), []byte(text.String()), 0o600)
}

// armed reports whether something is left to die of.
func (h *house) armed(id string) (bool, error) {
	st, err := os.Stat(filepath.Join(h.dir, "subject-"+id))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && st.Size() > 0, err
}

// deaths reads of what processes died, by account, and holds each against how the process ended.
func (h *house) deaths() (map[string][]boundary.Label, error) {
	raw, err := os.ReadFile(filepath.Join(h.dir, "deaths"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	died := map[string][]boundary.Label{}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("a death is written as %q", line)
		}
		pid, err := strconv.Atoi(fields[2])
		if err != nil {
			return nil, err
		}
		if code, ok := h.pids[pid]; !ok || code != 137 {
			return nil, fmt.Errorf("process %d wrote down that it dies %s, and ended with %d (%v)", pid, fields[1], code, ok)
		}
		died[fields[0]] = append(died[fields[0]], boundary.Label(fields[1]))
	}
	return died, nil
}

// watch keeps looking at what moves until ctx ends: one query for all stories.
func (h *house) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if moving, err := h.look(ctx); err == nil {
			h.mu.Lock()
			h.moving = moving
			h.seen++
			h.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (h *house) look(ctx context.Context) (map[string]string, error) {
	lines, err := h.rig.Moving(ctx, rig.Far)
	moving := map[string]string{}
	for _, l := range lines {
		moving[l.Account] = l.What
	}
	return moving, err
}

// nextLook is the number of the first look that begins after now.
func (h *house) nextLook() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen + 2
}

// moves says what of an account moved when it was last looked at, or "". Before look number look nobody knows.
func (h *house) moves(id string, look int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen < look {
		return "not looked at yet"
	}
	return h.moving[id]
}

// passes reads what was passed, by account.
func (h *house) passes() (map[string]map[boundary.Label]bool, error) {
	raw, err := os.ReadFile(filepath.Join(h.dir, "passes"))
	if err != nil {
		return nil, err
	}
	passed := map[string]map[boundary.Label]bool{}
	for line := range strings.Lines(string(raw)) {
		id, label, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if passed[id] == nil {
			passed[id] = map[boundary.Label]bool{}
		}
		passed[id][boundary.Label(label)] = true
	}
	return passed, nil
}

// ending is how a story ends: everything that must not depend on where a process died.
type ending struct {
	Cases    string // stage and outcome of each case, in order
	Standing string // as we have it, and as the user's own service was told
	// Money by where it came from, in minor units, over all invoices of the account; Unapplied is what belongs to none.
	Credits, Funds, Gateway, Reversed, OutOfBand, Unapplied int64
	// Due is what is left of the invoice.
	Due     int64
	Open    int64  // attempts without a final outcome
	Notices string // kinds of notices queued for the mailbox, each with how often
	Tasks   string // kinds of tasks that are open
}

func (h *house) ending(ctx context.Context, id string) (ending, error) {
	const query = `select
		coalesce((select string_agg(stage || case outcome when '' then '' else ' ' || outcome end, ', ' order by episode) from cases where account_id = $1), '') as cases,
		(select standing from accounts where id = $1) as standing,
		(select coalesce(sum(a.amount_minor), 0) from credit_applications a join invoices i on i.id = a.invoice_id where i.account_id = $1 and a.reversed_at is null)::bigint as credits,
		(select coalesce(sum(u.amount_minor), 0) from deposit_uses u join invoices i on i.id = u.invoice_id where i.account_id = $1)::bigint as funds,
		(select coalesce(sum(captured_minor), 0) from attempts where account_id = $1 and state = 'succeeded')::bigint as gateway,
		(select coalesce(sum(r.amount_minor), 0) from reversals r join attempts a on a.id = r.attempt_id where a.account_id = $1)::bigint as reversed,
		(select coalesce(-sum(e.amount_minor), 0) from journal_transactions t join journal_entries e on e.transaction_id = t.id
		  where t.account_id = $1 and t.key like 'paid_out_of_band/%' and e.ledger_kind in ('receivable', 'unapplied_funds'))::bigint as out_of_band,
		(select coalesce(-sum(amount_minor), 0) from journal_entries where account_id = $1 and ledger_kind = 'unapplied_funds')::bigint as unapplied,
		(select coalesce(sum(total_minor - allocated_minor), 0) from invoices where account_id = $1)::bigint as due,
		(select count(*) from attempts where account_id = $1 and state not in ('succeeded', 'declined', 'not_sent')) as open,
		coalesce((select string_agg(kind || ' ' || n, ', ' order by kind) from (select kind, count(*) as n from notices
		  where account_id = $1 and channel = 'email' group by 1) k), '') as notices,
		coalesce((select string_agg(kind || ' ' || n, ', ' order by kind) from (select kind, count(*) as n from tasks
		  where closed_at is null and (account_id = $1 or attempt_id in (select id from attempts where account_id = $1)) group by 1) k), '') as tasks`
	rows, _ := h.rig.Store.Pool().Query(ctx, query, id)
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[ending])
	if told := h.hook.standing(id); told != e.Standing {
		e.Standing += ", but the user's service was told " + told
	}
	return e, err
}
