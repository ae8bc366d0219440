package audit

import (
	"context"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// I15: what happened can't be made not to have happened, not even by our own code.
var appendOnly = check{
	id: "I15", says: "journal, events and audit log are append-only, and the journal is what was chained",
	next: "stop the workers; put back what guards the table (store/migrations), then compare with a backup from before: docs/ledger.md",
	run: func(ctx context.Context, f *finding) {
		tables := []string{"journal_transactions", "journal_entries", "attempt_events", "case_events", "audit_log", "gateway_events",
			"reversals", "journal_links", "journal_checkpoints", "policies", "policy_moves"}
		f.Checked = append(f.Checked, Count{What: "tables", N: int64(len(tables))})
		f.broken(ctx, "table", changeable, pgx.NamedArgs{"tables": tables})
		f.broken(ctx, "setting", triggersOff)
		lookAtChains(ctx, f)
	},
}

// changeable asks for a statement trigger before update, delete and truncate that always raises. In tgtype 2 is before, 8 delete,
// 16 update, 32 truncate (pg_trigger.h).
const changeable = `select g.tab, case when t.oid is null then 'may be updated, deleted from or truncated: its trigger is missing, disabled or tamed' end
	from unnest(@tables::text[]) g (tab)
	left join (pg_trigger t join pg_proc p on p.oid = t.tgfoid and p.prosrc ~* '^\s*begin\s+raise exception')
	  on t.tgrelid = to_regclass(@schema || '.' || g.tab) and t.tgenabled in ('O', 'A') and t.tgtype & 58 = 58 and t.tgtype & 1 = 0 and t.tgqual is null and t.tgattr = ''`

// triggersOff: as a replica a session fires no triggers at all.
const triggersOff = `select 'session_replication_role', case when current_setting('session_replication_role') <> 'origin'
	then format('is %s: no trigger guards anything', current_setting('session_replication_role')) end`

// I16: an act without an author can't be asked about (R2). An import's reason is its file, kept in imports.
var actsAreSigned = check{
	id: "I16", says: "every human act has actor, reason and request id",
	next: "find out who wrote past Store.Resolve, and record the act's author in a new entry",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "resolutions", `select count(*) from resolutions`)
		f.broken(ctx, "resolution", resolutionsUnsigned)
		f.count(ctx, "audit log entries", `select count(*) from audit_log`)
		f.broken(ctx, "audit log entry", actsUnsigned)
		f.broken(ctx, "batch", batchesUnsigned)
		f.broken(ctx, "batch item", itemsUndecided)
	},
}

const resolutionsUnsigned = `select r.request_id, case
		when btrim(r.actor) = '' or btrim(r.reason) = '' or btrim(r.request_id) = '' then format('(%s on %s) lacks its actor or reason', r.kind, coalesce(r.case_id, r.account_id))
		when not exists (select 1 from audit_log l where l.request_id = r.request_id and l.act = r.kind and l.actor = r.actor and l.account_id = r.account_id
				and l.case_id is not distinct from r.case_id)
			then format('(%s on %s) is not in the audit log', r.kind, coalesce(r.case_id, r.account_id))
		when first.actor is not null and lower(btrim(first.actor)) = lower(btrim(r.actor))
			then format('(%s on %s) was proposed and confirmed by one person', r.kind, coalesce(r.case_id, r.account_id))
		end from resolutions r left join resolutions first on first.request_id = r.confirms`

const actsUnsigned = `select l.id, case
		when btrim(l.actor) = '' then format('(%s) lacks its actor', l.act)
		when btrim(l.request_id) = '' then format('(%s) lacks its request id', l.act)
		when btrim(l.reason) = '' and l.act <> 'import' then format('(%s) lacks its reason', l.act)
		when l.case_id is not null and not exists (select 1 from resolutions r where r.request_id = l.request_id)
				and not exists (select 1 from policy_moves m where l.act = 'policy_moved' and m.request_id = l.request_id and m.case_id = l.case_id)
			then format('(%s) tells of request %s, which is no resolution', l.act, l.request_id)
		end from audit_log l`

// batchesUnsigned: an act over many cases is itself an act.
const batchesUnsigned = `select b.id, case when not exists (select 1 from audit_log l where l.request_id = b.request_id and l.act = 'batch_recorded' and l.actor = b.actor)
	then format('(%s) is not in the audit log', b.kind) end from batches b`

// itemsUndecided: an item that says it was carried out on a case is a decision about that case, or a move of it, signed by the batch's person.
const itemsUndecided = `select t.batch_id || ':' || t.number, case
		when not exists (select 1 from resolutions r where r.request_id = t.request_id and r.case_id = t.case_id and r.actor = b.actor)
				and not exists (select 1 from policy_moves m where m.request_id = t.request_id and m.case_id = t.case_id and m.actor = b.actor)
			then format('(%s on %s) says it was carried out as %s, which nobody decided so', b.kind, t.case_id, t.request_id)
		end from batch_items t join batches b on b.id = t.batch_id join cases c on c.id = t.case_id where t.request_id <> ''`

// I18: what is kept for ever must hold nothing that has to be forgotten. SQL finds the few rows worth a closer look, Go looks.
var noPersonalData = check{
	id: "I18", says: "no card number, secret or e-mail address in events, steps and the audit log",
	next: "these tables are append-only: plan the erasure with whoever answers for data protection, then find what wrote it",
	run:  lookForPersonalData,
}

// kept is every text that histories, timelines and logs are made of. Request ids may be digests, and are left out.
const kept = `
		select 'case event' as kind, id::text as id, data::text as text from case_events
		union all select 'attempt event', id::text, detail::text from attempt_events where detail <> '{}'
		union all select 'audit log entry', id::text, concat_ws(' ', actor, act, reason, before::text, after::text) from audit_log
		union all select 'case', id, next_step::text from cases`

// suspicious is a cheap look. The offset keeps the planner from making each text anew for each question.
const suspicious = `select kind, id, text from (` + kept + ` offset 0) kept
	where text like '%@%' or text ~ '[0-9][0-9 -]{11}' or text ~ '_live_|_test_|whsec_'
	order by kind, id`

func lookForPersonalData(ctx context.Context, f *finding) {
	f.count(ctx, "texts", `select count(*) from (`+kept+`) kept`)
	var b Breach
	var text string
	f.each(ctx, "look for personal data", suspicious, nil, []any{&b.Kind, &b.ID, &text}, func() {
		if b.Says = personal(text); b.Says != "" {
			f.Total++
			f.list(b)
		}
	})
}

var (
	uuids   = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	emails  = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}`)
	secrets = regexp.MustCompile(`\b((sk|rk)_(live|test)_|whsec_)[A-Za-z0-9]{8}`)
	// A run of digits inside a longer word is part of an id: a digest, a gateway's reference.
	digitRuns = regexp.MustCompile(`(^|[^0-9A-Za-z_-])([0-9][0-9 -]{11,}[0-9])($|[^0-9A-Za-z_-])`)
)

// personal says what a text holds that it must not, without repeating it; "" when nothing.
func personal(text string) string {
	text = uuids.ReplaceAllString(text, "id")
	if at := emails.FindStringIndex(text); at != nil {
		return "holds what looks like an e-mail address, at character " + strconv.Itoa(at[0]+1)
	}
	if secrets.MatchString(text) {
		return "holds what looks like a secret key"
	}
	for _, run := range digitRuns.FindAllStringSubmatch(text, -1) {
		if billing.LooksLikeCardNumber(run[2]) {
			return "holds what looks like a card number"
		}
	}
	return ""
}
