package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"recoup/store"
)

// The journal's chains, looked at with code that shares nothing with the trigger that writes them (store/migrations, 00013): the bytes
// are built here from docs/ledger.md once more.

// chainRows is every link with its transaction and one row per entry, in the order of the chain.
const chainRows = `select l.account_id, l.position, l.hash, l.transaction_id, t.id is not null, coalesce(t.kind, ''), coalesce(t.key, ''), coalesce(t.account_id, ''),
		coalesce((extract(epoch from t.recorded_at) * 1000000)::bigint, 0),
		e.id, coalesce(e.ledger_kind, ''), coalesce(e.ledger_account, ''), coalesce(e.account_id, ''), e.invoice_id, e.credit_id, e.deposit_id,
		coalesce(e.amount_minor, 0), coalesce(e.currency::text, '')
	from journal_links l left join journal_transactions t on t.id = l.transaction_id left join journal_entries e on e.transaction_id = t.id
	order by l.account_id, l.position, e.id`

// chainRow is one row of it.
type chainRow struct {
	account     string
	position    int64
	hash        []byte
	transaction int64
	there       bool
	kind, key   string
	of          string
	recorded    int64
	entry       *int64
	ledgerKind  string
	ledger      string
	entryOf     string
	invoice     *string
	credit      *string
	deposit     *string
	minor       int64
	currency    string
}

func (r *chainRow) targets() []any {
	return []any{&r.account, &r.position, &r.hash, &r.transaction, &r.there, &r.kind, &r.key, &r.of, &r.recorded, &r.entry, &r.ledgerKind,
		&r.ledger, &r.entryOf, &r.invoice, &r.credit, &r.deposit, &r.minor, &r.currency}
}

// field appends a netstring.
func field(b []byte, v string) []byte {
	b = strconv.AppendInt(b, int64(len(v)), 10)
	b = append(b, ':')
	b = append(b, v...)
	return append(b, ',')
}

func number(b []byte, v int64) []byte { return field(b, strconv.FormatInt(v, 10)) }

func orNull(b []byte, v *string) []byte {
	if v == nil {
		return append(b, "-,"...)
	}
	return field(b, *v)
}

// link is one link while its rows are read.
type link struct {
	chainRow
	n       int64
	entries []byte
}

func (l *link) add(r chainRow) {
	if r.entry == nil {
		return
	}
	l.n++
	b := number(l.entries, *r.entry)
	b = field(field(field(b, r.ledgerKind), r.ledger), r.entryOf)
	b = orNull(orNull(orNull(b, r.invoice), r.credit), r.deposit)
	l.entries = field(number(b, r.minor), r.currency)
}

// sum is the link's hash as docs/ledger.md defines it.
func (l *link) sum(before []byte) [sha256.Size]byte {
	b := field(nil, "recoup-journal-1")
	b = field(b, hex.EncodeToString(before))
	b = number(number(b, l.position), l.transaction)
	b = field(field(field(b, l.kind), l.key), l.of)
	b = number(number(b, l.recorded), l.n)
	return sha256.Sum256(append(b, l.entries...))
}

// chains walks all chains and says what does not fit. A link that is wrong is reported once: what follows is judged by what it claims.
type chains struct {
	f       *finding
	current *link
	account string
	next    int64
	before  []byte
}

func (c *chains) row(r chainRow) {
	if c.current == nil || c.current.account != r.account || c.current.position != r.position {
		c.finish()
		c.current = &link{chainRow: r}
		c.current.hash = append([]byte(nil), r.hash...)
	}
	c.current.add(r)
}

// finish judges the link whose rows are all read.
func (c *chains) finish() {
	l := c.current
	if l == nil {
		return
	}
	if l.account != c.account {
		c.account, c.next, c.before = l.account, 1, make([]byte, sha256.Size)
	}
	name := fmt.Sprintf("%s/%d", l.account, l.position)
	switch sum := l.sum(c.before); {
	case l.position != c.next:
		c.f.breach("journal link", fmt.Sprintf("%s/%d", l.account, c.next), fmt.Sprintf("is missing: the chain goes on with %d", l.position))
	case !l.there:
		c.f.breach("journal link", name, fmt.Sprintf("names journal transaction %d, which is gone", l.transaction))
	case l.of != l.account:
		c.f.breach("journal transaction", fmt.Sprint(l.transaction), fmt.Sprintf("is of account %s, its link in the chain of %s", l.of, l.account))
	case string(sum[:]) != string(l.hash):
		c.f.breach("journal transaction", fmt.Sprint(l.transaction),
			fmt.Sprintf("(%s) is not what was chained as %s: it, its entries or the order were changed", l.key, name))
	}
	c.next, c.before = l.position+1, l.hash
}

// breach adds one that was found by other means than SQL.
func (f *finding) breach(kind, id, says string) {
	f.Total++
	f.list(Breach{Kind: kind, ID: id, Says: says})
}

func lookAtChains(ctx context.Context, f *finding) {
	f.count(ctx, "journal links", `select count(*) from journal_links`)
	var r chainRow
	c := chains{f: f}
	f.each(ctx, "walk the journal's chains", chainRows, nil, r.targets(), func() { c.row(r) })
	c.finish()
	f.broken(ctx, "journal transaction", unchained)
	f.broken(ctx, "journal chain", headsVersusLinks)
	f.triggers(ctx, [2]string{"journal_transactions", "journal_transactions_chained"})
	if f.scopedTo == (watermark{}) {
		lookAtCheckpoints(ctx, f)
	}
}

const unchained = `select t.id, case
		when l.n is null then format('(%s) is in no chain: it was written past the trigger', t.key)
		when l.n > 1 then format('(%s) is in the chain %s times', t.key, l.n) end
	from journal_transactions t left join (select transaction_id, count(*) as n from journal_links group by 1) l on l.transaction_id = t.id`

// headsVersusLinks finds a chain whose end was cut off.
const headsVersusLinks = `with ends as (select distinct on (account_id) account_id, position, hash from journal_links order by account_id, position desc)
	select coalesce(h.account_id, e.account_id), case
		when h.account_id is null then format('has %s links and no head', e.position)
		when coalesce(e.position, 0) <> h.length then format('ends at %s, its head says %s', coalesce(e.position, 0), h.length)
		when e.hash is distinct from h.hash then format('ends at %s with another hash than its head', h.length)
		end
	from journal_heads h full join ends e on e.account_id = h.account_id`

// lookAtCheckpoints compares the newest recorded checkpoint, and those kept elsewhere, with what the chains say of that instant.
func lookAtCheckpoints(ctx context.Context, f *finding) {
	if f.err != nil {
		return
	}
	kept := f.opts.Checkpoints
	const newest = `select id, at, snapshot, accounts, links, encode(digest, 'hex') from journal_checkpoints order by id desc limit 1`
	var c store.Checkpoint
	err := f.tx.QueryRow(ctx, newest).Scan(&c.ID, &c.At, &c.Snapshot, &c.Accounts, &c.Links, &c.Digest)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		f.err = fmt.Errorf("read the newest checkpoint: %w", err)
		return
	default:
		kept = append(kept[:len(kept):len(kept)], c)
	}
	f.Checked = append(f.Checked, Count{What: "checkpoints", N: int64(len(kept))})
	for _, c := range kept {
		now, err := store.DigestChains(ctx, f.tx, c.Snapshot)
		if err != nil {
			f.err = fmt.Errorf("compare checkpoint %d: %w", c.ID, err)
			return
		}
		if now.Digest != c.Digest {
			f.breach("journal checkpoint", fmt.Sprint(c.ID), fmt.Sprintf("of %s: %d links in %d accounts then, %d in %d now; the journal from before it was rewritten",
				c.At.UTC().Format("2006-01-02 15:04:05"), c.Links, c.Accounts, now.Links, now.Accounts))
		}
	}
}
