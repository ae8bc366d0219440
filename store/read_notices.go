package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// NoticeView is one notice on one channel. The recipient is a position among the account's contacts, never an address (I18).
type NoticeView struct {
	ID        string
	Account   billing.AccountID
	TimeZone  string
	Case      billing.CaseID
	Invoice   billing.InvoiceID
	Kind      string
	Occasion  string
	Channel   string
	Recipient int
	State     string
	Subject   string
	Body      string // only by FindNotice
	Problem   string
	SendAfter time.Time
	CreatedAt time.Time
	SentAt    time.Time
	ReadAt    time.Time
}

// NoticeFilter says which console notices a list shows, newest first.
type NoticeFilter struct {
	Account billing.AccountID // "" for all
	Unread  bool
	After   string
	Limit   int
}

// NoticePage is one page of notices.
type NoticePage struct {
	Notices []NoticeView
	Next    string
	Unread  int // of the account, or of all; counted to 1,000
}

const noticeColumns = `
	n.id::text, n.account_id, a.time_zone, coalesce(n.case_id, ''), coalesce(n.invoice_id, ''), n.kind, n.occasion, n.channel, n.recipient,
	n.state, n.subject, n.problem, n.send_after, n.created_at, n.sent_at, n.read_at, n.created_at::text`

func scanNotice(row pgx.CollectableRow, v *NoticeView, more ...any) (sortKey string, err error) {
	var sent, read *time.Time
	into := []any{&v.ID, &v.Account, &v.TimeZone, &v.Case, &v.Invoice, &v.Kind, &v.Occasion, &v.Channel, &v.Recipient, &v.State, &v.Subject,
		&v.Problem, &v.SendAfter, &v.CreatedAt, &sent, &read, &sortKey}
	err = row.Scan(append(into, more...)...)
	v.SentAt, v.ReadAt = orZero(sent), orZero(read)
	return sortKey, err
}

// noticesWhere lists notices on every channel; tail holds the conditions and the order.
func noticesWhere(ctx context.Context, tx pgx.Tx, tail string, limit int, args ...any) ([]NoticeView, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf("select %s from notices n join accounts a on a.id = n.account_id %s limit %d",
		noticeColumns, tail, limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (v NoticeView, err error) {
		_, err = scanNotice(row, &v)
		return v, err
	})
}

const unreadMax = 1000

// ListNotices returns one page of the console notices that were delivered: what customers see.
func (s *Store) ListNotices(ctx context.Context, f NoticeFilter) (NoticePage, error) {
	q := &conditions{}
	q.add("n.channel = 'console' and n.state = 'sent'")
	if f.Account != "" {
		q.add("n.account_id = ?", string(f.Account))
	}
	unread := &conditions{append([]string{"n.read_at is null"}, q.clauses...), append([]any(nil), q.args...)}
	if f.Unread {
		q.add("n.read_at is null")
	}
	if f.After != "" {
		key, id, err := readCursor(f.After)
		if err != nil {
			return NoticePage{}, err
		}
		if !uuidShape.MatchString(id) {
			return NoticePage{}, billing.Refuse(billing.RefusedInvalid, "after", "this page's address is not one that Recoup made")
		}
		q.add("(n.created_at, n.id) < (?::timestamptz, ?::uuid)", key, id)
	}
	limit := pageLimit(f.Limit)
	var page NoticePage
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		count := fmt.Sprintf("select count(*) from (select 1 from notices n %s limit %d) counted", unread.where(), unreadMax)
		if err := tx.QueryRow(ctx, count, unread.args...).Scan(&page.Unread); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, fmt.Sprintf(
			"select %s from notices n join accounts a on a.id = n.account_id %s order by n.created_at desc, n.id desc limit %d",
			noticeColumns, q.where(), limit+1), q.args...)
		if err != nil {
			return err
		}
		var keys []string
		page.Notices, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (v NoticeView, err error) {
			key, err := scanNotice(row, &v)
			keys = append(keys, key)
			return v, err
		})
		if len(page.Notices) > limit {
			page.Notices = page.Notices[:limit]
			page.Next = makeCursor(keys[limit-1], page.Notices[limit-1].ID)
		}
		return err
	})
	if err != nil {
		return NoticePage{}, fmt.Errorf("list notices: %w", err)
	}
	return page, nil
}

var uuidShape = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// FindNotice returns one delivered console notice with its text; a Refusal when there is none. Reading it here is not the customer
// reading it: read_at stays.
func (s *Store) FindNotice(ctx context.Context, id string) (NoticeView, error) {
	var v NoticeView
	if !uuidShape.MatchString(id) {
		return v, notFoundRefusal("notice", id)
	}
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "select "+noticeColumns+`, n.body from notices n join accounts a on a.id = n.account_id
			where n.id = $1 and n.channel = 'console' and n.state = 'sent'`, id)
		if err != nil {
			return err
		}
		v, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (v NoticeView, err error) {
			_, err = scanNotice(row, &v, &v.Body)
			return v, err
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return notFoundRefusal("notice", id)
		}
		return err
	})
	if err != nil {
		return NoticeView{}, fmt.Errorf("find notice %s: %w", id, err)
	}
	return v, nil
}
