package races

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/audit"
	"recoup/billing"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

// prototype is a world's rows as text, made once by the store's own methods and then copied: a fresh world costs a few milliseconds.
type prototype struct {
	tables   []string
	columns  map[string]string // those that aren't generated
	rows     map[string][]template
	attempts map[string]billing.AttemptID
}

// numbered are the columns that count up over a whole table.
var numbered = map[string][]string{
	"attempt_events": {"id"}, "case_events": {"id"}, "audit_log": {"id"}, "journal_transactions": {"id"}, "journal_entries": {"id", "transaction_id"},
}

// perWorld is more than any table of a prototype counts; ids that operations draw begin above every copy.
const (
	perWorld  = 1_000
	drawnFrom = 1_000_000_000
)

var changing = regexp.MustCompile(`#\d+#|w000000-|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

func newPrototype(t testing.TB) *prototype {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := &author{world: &world{attempts: map[string]billing.AttemptID{}}, s: s, t: t, now: began.Add(-30 * day)}
	s.SetNow(func() time.Time { return a.now })
	a.write()
	p := &prototype{columns: map[string]string{}, rows: map[string][]template{}, attempts: a.attempts}
	rows, _ := s.Pool().Query(ctx, `select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
		and table_name not in ('goose_db_version', 'imports', 'suspension_breaker', 'policies', 'journal_links', 'journal_heads') order by 1`)
	if p.tables, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	for _, table := range p.tables {
		const columns = `select string_agg(quote_ident(column_name), ', ') from information_schema.columns
			where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER'`
		var list string
		if err := s.Pool().QueryRow(ctx, columns, table).Scan(&list); err != nil {
			t.Fatal(err)
		}
		p.columns[table] = list
		rows, _ := s.Pool().Query(ctx, fmt.Sprintf(`select to_jsonb(x)::text from %s x where to_jsonb(x)::text like '%%w000000-%%'
			or '%[1]s' in ('attempt_events')`, table))
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range found {
			p.rows[table] = append(p.rows[table], cut(markNumbers(t, table, text)))
		}
	}
	return p
}

// markNumbers puts the values of numbered columns between # signs, so that copies can move them.
func markNumbers(t testing.TB, table, text string) string {
	var row map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &row); err != nil {
		t.Fatal(err)
	}
	for _, column := range numbered[table] {
		row[column] = json.RawMessage(`"#` + string(row[column]) + `#"`)
	}
	if table == "notices" && string(row["state"]) == `"queued"` || table == "standing_calls" && string(row["accepted_at"]) == "null" {
		row["send_after"] = json.RawMessage(`"` + notYet + `"`)
	}
	out, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// notYet keeps what is queued in other worlds from being claimed.
const notYet = "2100-01-01T00:00:00Z"

// copyUUID is the copy's id for one of the prototype's.
func copyUUID(id string, n int) string {
	sum := sha256.Sum256([]byte(fmt.Sprint(id, n)))
	sum[6], sum[8] = sum[6]&0x0f|0x70, sum[8]&0x3f|0x80
	return uuid.UUID(sum[:16]).String()
}

// template is a row's text, cut where copies differ: every second part changes.
type template []string

func cut(text string) template {
	var t template
	end := 0
	for _, at := range changing.FindAllStringIndex(text, -1) {
		t = append(t, text[end:at[0]], text[at[0]:at[1]])
		end = at[1]
	}
	return append(t, text[end:])
}

// write writes the row of world n.
func (t template) write(out *strings.Builder, n int) {
	for i, part := range t {
		switch {
		case i%2 == 0:
			out.WriteString(part)
		case part[0] == '#':
			number, _ := strconv.Atoi(strings.Trim(part, "#"))
			out.WriteString(strconv.Itoa(n*perWorld + number))
		case part[0] == 'w':
			fmt.Fprintf(out, "w%06d-", n)
		default:
			out.WriteString(copyUUID(part, n))
		}
	}
}

// lab is a database of one worker, full of fresh worlds.
type lab struct {
	*store.Store
	gateway *gateway
	fresh   []*world
	made    int
	worlds  map[int]string // what was tried in which world
	proto   *prototype
}

func newLab(t testing.TB, p *prototype) *lab {
	t.Helper()
	s, err := store.OpenWith(context.Background(), pgtest.New(t), func(c *pgxpool.Config) {
		c.ConnConfig.Tracer = tracer{}
		c.ConnConfig.RuntimeParams["deadlock_timeout"] = "100"
		c.MaxConns = 40
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.SetNow(func() time.Time { return present })
	l := &lab{Store: s, proto: p}
	if err := l.clear(context.Background()); err != nil {
		t.Fatal(err)
	}
	return l
}

// clear empties the database. The append-only tables refuse that to anyone but replication.
func (l *lab) clear(ctx context.Context) error {
	l.gateway, l.worlds, l.fresh = &gateway{charges: map[billing.AttemptID]audit.Charge{}}, map[int]string{}, nil
	sql := "set local session_replication_role = replica; truncate imports, journal_links, journal_heads, " + strings.Join(l.proto.tables, ", ") + ";"
	for table := range numbered {
		sql += fmt.Sprintf("alter table %s alter column id restart with %d;", table, drawnFrom)
	}
	// The worlds share one breaker, which would stop suspensions after a few of them (S4).
	sql += "update suspension_breaker set floor = 1000000, stopped_since = null, stopped_why = ''"
	return l.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	})
}

func (l *lab) inTx(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, l.Pool(), f)
}

// fill adds count fresh worlds.
func (l *lab) fill(ctx context.Context, count int) error {
	err := l.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local session_replication_role = replica"); err != nil {
			return err
		}
		for _, table := range l.proto.tables {
			rows := &strings.Builder{}
			for n := l.made + 1; n <= l.made+count; n++ {
				for _, row := range l.proto.rows[table] {
					rows.WriteByte(',')
					row.write(rows, n)
				}
			}
			if rows.Len() == 0 {
				continue
			}
			insert := fmt.Sprintf("insert into %s (%s) overriding system value select %[2]s from jsonb_populate_recordset(null::%[1]s, $1::jsonb)",
				table, l.proto.columns[table])
			if _, err := tx.Exec(ctx, insert, "["+rows.String()[1:]+"]"); err != nil {
				return fmt.Errorf("copy %s: %w", table, err)
			}
		}
		// Links are hashes of what a copy changes, so each copy is chained anew.
		const chain = `select journal_chain(t) from (select * from journal_transactions where id between $1 and $2 order by id) t`
		_, err := tx.Exec(ctx, chain, (l.made+1)*perWorld, (l.made+count+1)*perWorld-1)
		return err
	})
	if err != nil {
		return err
	}
	for range count {
		l.made++
		w := &world{n: l.made, gateway: l.gateway, attempts: map[string]billing.AttemptID{}, sent: map[billing.AttemptID]bool{}}
		for name, id := range l.proto.attempts {
			w.attempts[name] = billing.AttemptID(copyUUID(string(id), w.n))
		}
		w.gateway.take(w.attempt("paid"), w.invoice("paid"), money.New(4900, usd))
		l.fresh = append(l.fresh, w)
	}
	return nil
}

// next takes a fresh world for what is about to be tried.
func (l *lab) next(what string) *world {
	w := l.fresh[0]
	l.fresh = l.fresh[1:]
	l.worlds[w.n] = what
	return w
}

// audit judges all worlds at once; each breach is told with what was tried in its world.
func (l *lab) audit(ctx context.Context) ([]string, error) {
	report, err := audit.Run(ctx, l.Pool(), audit.Options{Books: []audit.Books{l.gateway}, Now: present, Grace: 3 * day, MaxBreaches: 20})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, i := range report.Broken() {
		for _, b := range i.Breaches {
			text := fmt.Sprintf("%s %s: %s %s %s", i.ID, i.Says, b.Kind, b.ID, b.Says)
			found = append(found, l.whose(ctx, text)+": "+text)
		}
	}
	return found, nil
}

var worldIn = regexp.MustCompile(`w(\d{6})-`)

// whose finds what was tried in the world that a text names, by an id with its number or by an attempt.
func (l *lab) whose(ctx context.Context, text string) string {
	for _, id := range changing.FindAllString(text, -1) {
		var invoice string
		if l.Pool().QueryRow(ctx, "select invoice_id from attempts where id::text = $1", id).Scan(&invoice) == nil {
			text += " " + invoice
		}
	}
	if m := worldIn.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		return l.worlds[n]
	}
	return "unknown world"
}
