package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// readTimeout bounds every read for a page: a slow search is given up, it never holds a connection.
const readTimeout = 8 * time.Second

// PageMax is the most rows one page of any list returns.
const PageMax = 200

// searchMax is the longest search text used, in bytes.
const searchMax = 100

// inSnapshot runs f in one read-only snapshot, so that the numbers of one page agree with each other.
func (s *Store) inSnapshot(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error { return f(ctx, tx) })
}

// CaseView is one case as lists show it: its invoice, its account and what comes next. No contact data.
type CaseView struct {
	ID              billing.CaseID
	Invoice         billing.InvoiceID
	Number          string
	Episode         int
	Account         billing.AccountID
	AccountName     string
	AccountStanding billing.Standing
	TimeZone        string
	Policy          string
	PolicyVersion   int
	Stage           dunning.Stage
	Total           money.Amount
	Allocated       money.Amount
	Due             money.Amount // zero once the invoice is void or written off
	InvoiceState    billing.InvoiceState
	DueDate         string // local date of the account
	DueAt           time.Time
	HeldUntil       time.Time // zero when not held
	HoldScopes      []string
	Disputed        money.Amount // the part that is not collected, of an open invoice; zero when nothing is disputed
	PromisedUntil   time.Time    // nothing is collected until then, because the customer promised to pay; zero when no promise is open
	PostponedUntil  time.Time    // the suspension was put off (S2)
	PostponedWhy    string
	Attempt         billing.AttemptState // of the open attempt, or ""
	Next            dunning.Step
	NextAt          time.Time
	OpenedAt        time.Time
	FinishedAt      time.Time
	Outcome         billing.InvoiceState
}

// caseViewColumns select a caseViewRow; a, c, i and t are aliases of accounts, cases, invoices and the open attempt.
const caseViewColumns = `
	c.id, c.invoice_id, c.episode, c.account_id, c.policy, c.policy_version, c.stage, c.held_until, c.hold_scopes, c.postponed_until,
	c.postponed_why, c.next_step, c.next_at, c.opened_at, c.finished_at, c.outcome, i.number, i.currency, i.total_minor, i.allocated_minor,
	i.state as invoice_state, i.due_date::text as due_date, i.due_at, a.name as account_name, a.time_zone, a.standing as account_standing,
	coalesce(t.state, '') as attempt_state, c.promised_until,
	coalesce((select d.amount_minor from disputes d where d.invoice_id = i.id and d.ended_at is null), 0) as disputed_minor`

const caseViewTables = `
	from cases c
	join invoices i on i.id = c.invoice_id
	join accounts a on a.id = c.account_id
	left join attempts t on t.invoice_id = c.invoice_id and t.case_id = c.id
	     and t.state in ('intent', 'sent', 'action_required', 'pending', 'unknown')`

type caseViewRow struct {
	ID              string
	InvoiceID       string
	Episode         int
	AccountID       string
	Policy          string
	PolicyVersion   int
	Stage           string
	HeldUntil       *time.Time
	HoldScopes      []string
	PostponedUntil  *time.Time
	PostponedWhy    string
	NextStep        []byte
	NextAt          *time.Time
	OpenedAt        time.Time
	FinishedAt      *time.Time
	Outcome         string
	Number          string
	Currency        string
	TotalMinor      int64
	AllocatedMinor  int64
	InvoiceState    string
	DueDate         string
	DueAt           time.Time
	AccountName     string
	TimeZone        string
	AccountStanding string
	AttemptState    string
	PromisedUntil   *time.Time
	DisputedMinor   int64
}

func (r caseViewRow) view() (CaseView, error) {
	c, err := money.ParseCurrency(r.Currency)
	if err != nil {
		return CaseView{}, fmt.Errorf("case %s: %w", r.ID, err)
	}
	v := CaseView{
		ID: billing.CaseID(r.ID), Invoice: billing.InvoiceID(r.InvoiceID), Number: r.Number, Episode: r.Episode,
		Account: billing.AccountID(r.AccountID), AccountName: r.AccountName, AccountStanding: billing.Standing(r.AccountStanding),
		TimeZone: r.TimeZone, Policy: r.Policy, PolicyVersion: r.PolicyVersion, Stage: dunning.Stage(r.Stage),
		Total: money.New(r.TotalMinor, c), Allocated: money.New(r.AllocatedMinor, c), Due: money.Zero(c),
		InvoiceState: billing.InvoiceState(r.InvoiceState), DueDate: r.DueDate, DueAt: r.DueAt,
		HeldUntil: orZero(r.HeldUntil), HoldScopes: r.HoldScopes, PostponedUntil: orZero(r.PostponedUntil), PostponedWhy: r.PostponedWhy,
		Attempt: billing.AttemptState(r.AttemptState), NextAt: orZero(r.NextAt), OpenedAt: r.OpenedAt,
		FinishedAt: orZero(r.FinishedAt), Outcome: billing.InvoiceState(r.Outcome),
		PromisedUntil: orZero(r.PromisedUntil), Disputed: money.Zero(c),
	}
	if v.InvoiceState == billing.InvoiceOpen {
		v.Due = money.New(r.TotalMinor-r.AllocatedMinor, c)
		v.Disputed = money.New(min(r.DisputedMinor, v.Due.Minor()), c)
	}
	v.Next, err = readStep(r.NextStep)
	if err != nil {
		return CaseView{}, fmt.Errorf("case %s: next step: %w", r.ID, err)
	}
	return v, nil
}

// readStep reads a stored dunning.Step; a case just opened has none yet.
func readStep(stored []byte) (dunning.Step, error) {
	var step dunning.Step
	if len(stored) == 0 || string(stored) == "{}" {
		return step, nil
	}
	err := json.Unmarshal(stored, &step)
	return step, err
}

// CaseOverlay narrows a list to cases in a special condition, whatever their stage.
type CaseOverlay string

// The overlays lists can be narrowed to.
const (
	OverlayAny       CaseOverlay = ""
	OverlayHeld      CaseOverlay = "held"
	OverlayUnknown   CaseOverlay = "unknown"   // the outcome of an attempt is unknown (U2)
	OverlayPending   CaseOverlay = "pending"   // a bank debit settles (U3)
	OverlayCustomer  CaseOverlay = "customer"  // the customer has to authenticate
	OverlayDisputed  CaseOverlay = "disputed"  // the customer disputes a part, which is not collected
	OverlayPromised  CaseOverlay = "promised"  // the customer promised to pay
	OverlaySuspended CaseOverlay = "suspended" // the account is suspended
)

const heldNow = "c.held_until > now()"

var overlayCondition = map[CaseOverlay]string{
	OverlayHeld:      heldNow,
	OverlayUnknown:   "t.state = 'unknown'",
	OverlayPending:   "t.state = 'pending'",
	OverlayCustomer:  "t.state = 'action_required'",
	OverlayDisputed:  "exists (select 1 from disputes d where d.invoice_id = c.invoice_id and d.ended_at is null and c.finished_at is null)",
	OverlayPromised:  "c.promised_until is not null and c.finished_at is null",
	OverlaySuspended: "a.standing = 'suspended'",
}

// CaseOverlays lists the overlays in the order pages show them.
func CaseOverlays() []CaseOverlay {
	return []CaseOverlay{OverlayHeld, OverlayUnknown, OverlayPending, OverlayCustomer, OverlayDisputed, OverlayPromised, OverlaySuspended}
}

// CaseFilter says which cases a list shows. Without Stage it shows the open ones; a search without Stage also looks at finished ones.
type CaseFilter struct {
	Stage    dunning.Stage
	Overlay  CaseOverlay
	Currency string
	Search   string // part of an invoice's id or number, or of an account's id or name; % and _ stand for themselves
	After    string // Next of the page before
	Limit    int    // 1 to PageMax; 0 is 50
}

// CasePage is one page of cases.
type CasePage struct {
	Cases []CaseView
	Next  string // continues the list; "" at its end
}

// caseOrder is one way to sort and page through cases: by a key that is never null, then by id.
type caseOrder struct {
	key, compare, direction string
}

var (
	byNextAction = caseOrder{"coalesce(c.next_at, 'infinity')", ">", "asc"}
	lastFinished = caseOrder{"c.finished_at", "<", "desc"}
	lastOpened   = caseOrder{"c.opened_at", "<", "desc"}
)

// ListCases returns one page of cases: open ones by their next action, finished ones and findings of a search newest first.
func (s *Store) ListCases(ctx context.Context, f CaseFilter) (CasePage, error) {
	q, order, err := f.query()
	if err != nil {
		return CasePage{}, err
	}
	limit := pageLimit(f.Limit)
	sql := "select " + caseViewColumns + ", (" + order.key + ")::text as sort_key" + caseViewTables + q.where() +
		fmt.Sprintf(" order by %s %s, c.id %s limit %d", order.key, order.direction, order.direction, limit+1)
	var page CasePage
	err = s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		type row struct {
			caseViewRow
			SortKey string
		}
		rows, err := tx.Query(ctx, s.atPresent(sql), q.args...)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
		if err != nil {
			return err
		}
		for n, r := range found {
			if n == limit {
				last := found[n-1]
				page.Next = makeCursor(last.SortKey, last.ID)
				break
			}
			v, err := r.view()
			if err != nil {
				return err
			}
			page.Cases = append(page.Cases, v)
		}
		return nil
	})
	if err != nil {
		return CasePage{}, fmt.Errorf("list cases: %w", err)
	}
	return page, nil
}

func (f CaseFilter) query() (*conditions, caseOrder, error) {
	q, order := &conditions{}, byNextAction
	switch search := trimSearch(f.Search); {
	case f.Stage == dunning.StageFinished:
		order = lastFinished
		q.add("c.finished_at is not null")
	case f.Stage != "":
		if _, err := f.Stage.Rank(); err != nil {
			return nil, order, billing.Refuse(billing.RefusedInvalid, "stage", "there is no stage %q", string(f.Stage))
		}
		q.add("c.finished_at is null and c.stage = ?", string(f.Stage))
	case search != "":
		order = lastOpened
	default:
		q.add("c.finished_at is null")
	}
	if f.Overlay != OverlayAny {
		condition, ok := overlayCondition[f.Overlay]
		if !ok {
			return nil, order, billing.Refuse(billing.RefusedInvalid, "overlay", "there is no overlay %q", string(f.Overlay))
		}
		q.add(condition)
	}
	if f.Currency != "" {
		if _, err := money.ParseCurrency(f.Currency); err != nil {
			return nil, order, billing.Refuse(billing.RefusedInvalid, "currency", "%q is not an ISO 4217 code", f.Currency)
		}
		q.add("i.currency = ?", f.Currency)
	}
	if search := trimSearch(f.Search); search != "" {
		q.add("(i.number ilike ? or i.id ilike ? or a.id ilike ? or a.name ilike ?)", like(search), like(search), like(search), like(search))
	}
	if f.After != "" {
		key, id, err := readCursor(f.After)
		if err != nil {
			return nil, order, err
		}
		q.add("("+order.key+", c.id) "+order.compare+" (?::timestamptz, ?)", key, id)
	}
	return q, order, nil
}

// CaseCounts are how many cases stand where.
type CaseCounts struct {
	ByStage   map[dunning.Stage]int
	ByOverlay map[CaseOverlay]int // open cases only
	Open      int
}

// CountCases counts cases by stage and open cases by overlay.
func (s *Store) CountCases(ctx context.Context) (CaseCounts, error) {
	var counts CaseCounts
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		counts, err = s.countCases(ctx, tx)
		return err
	})
	if err != nil {
		return CaseCounts{}, fmt.Errorf("count cases: %w", err)
	}
	return counts, nil
}

// overlayCounts count by what is rare, so that no count reads every case: holds, open attempts, disputes, promises, suspended accounts.
const overlayCounts = `
	select (select count(*) from cases c where c.finished_at is null and ` + heldNow + `),
	       count(*) filter (where t.state = 'unknown'), count(*) filter (where t.state = 'pending'),
	       count(*) filter (where t.state = 'action_required'),
	       (select count(*) from disputes d join cases c on c.invoice_id = d.invoice_id and c.finished_at is null where d.ended_at is null),
	       (select count(*) from promises p join cases c on c.id = p.case_id and c.finished_at is null where p.state = 'open'),
	       (select count(*) from cases c join accounts a on a.id = c.account_id where c.finished_at is null and a.standing = 'suspended')
	  from attempts t join cases c on c.id = t.case_id and c.finished_at is null
	 where t.state in ('unknown', 'pending', 'action_required')`

func (s *Store) countCases(ctx context.Context, tx pgx.Tx) (CaseCounts, error) {
	counts := CaseCounts{ByStage: map[dunning.Stage]int{}, ByOverlay: map[CaseOverlay]int{}}
	rows, err := tx.Query(ctx, "select stage, count(*) from cases group by stage")
	if err != nil {
		return counts, err
	}
	var stage string
	var all int
	_, err = pgx.ForEachRow(rows, []any{&stage, &all}, func() error {
		counts.ByStage[dunning.Stage(stage)] = all
		if stage != string(dunning.StageFinished) {
			counts.Open += all
		}
		return nil
	})
	if err != nil {
		return counts, err
	}
	var held, unknown, pending, customer, disputed, promised, suspended int
	err = tx.QueryRow(ctx, s.atPresent(overlayCounts)).Scan(&held, &unknown, &pending, &customer, &disputed, &promised, &suspended)
	counts.ByOverlay = map[CaseOverlay]int{OverlayHeld: held, OverlayUnknown: unknown, OverlayPending: pending, OverlayCustomer: customer,
		OverlayDisputed: disputed, OverlayPromised: promised, OverlaySuspended: suspended}
	return counts, err
}
