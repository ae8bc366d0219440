-- +goose Up
-- What an incremental audit begins with: accounts of which something was committed since the last one. Ids and times commit out of order,
-- transaction numbers with a snapshot don't lie: what a snapshot did not see has a number of at least its xmin. BRIN: numbers grow with
-- the table, and the index costs next to nothing to keep.
alter table attempt_events add column xid bigint;
alter table attempt_events alter column xid set default pg_current_xact_id()::text::bigint;
create index attempt_events_by_xid on attempt_events using brin (xid) with (pages_per_range = 16);
alter table case_events add column xid bigint;
alter table case_events alter column xid set default pg_current_xact_id()::text::bigint;
create index case_events_by_xid on case_events using brin (xid) with (pages_per_range = 16);
alter table audit_log add column xid bigint;
alter table audit_log alter column xid set default pg_current_xact_id()::text::bigint;
create index audit_log_by_xid on audit_log using brin (xid) with (pages_per_range = 16);
alter table gateway_events add column xid bigint;
alter table gateway_events alter column xid set default pg_current_xact_id()::text::bigint;
create index gateway_events_by_xid on gateway_events using brin (xid) with (pages_per_range = 16);
alter table reversals add column xid bigint;
alter table reversals alter column xid set default pg_current_xact_id()::text::bigint;
create index reversals_by_xid on reversals using brin (xid) with (pages_per_range = 16);
-- Notices change when they are sent, in transactions of their own.
create index notices_by_sent_at on notices using brin (sent_at) with (pages_per_range = 16);
-- An incremental audit reads what belongs to an account.
create index credits_by_account on credits (account_id);
create index deposits_by_account on deposits (account_id);

-- Per invariant, the transaction number below which everything was checked and found well.
create table audit_watermarks (
    invariant text primary key,
    xid       bigint not null,
    at        timestamptz not null,
    -- Which server and database counted: another one (a restored dump) counts anew, and an audit there begins anew.
    counter   text not null
);

-- What the chains' ends were at some time, as one digest to keep elsewhere: who rewrites chains and heads can't rewrite that copy.
create table journal_checkpoints (
    id         bigint generated always as identity primary key,
    at         timestamptz not null default clock_timestamp(),
    snapshot   text not null, -- pg_snapshot: the links that are meant are those it sees
    accounts   bigint not null,
    links      bigint not null,
    digest     bytea not null constraint journal_checkpoints_digest_sha256 check (octet_length(digest) = 32)
);
create trigger journal_checkpoints_append_only before update or delete or truncate on journal_checkpoints
    for each statement execute function refuse_change();

-- +goose Down
drop table journal_checkpoints;
drop table audit_watermarks;
drop index deposits_by_account;
drop index credits_by_account;
drop index notices_by_sent_at;
alter table reversals drop column xid;
alter table gateway_events drop column xid;
alter table audit_log drop column xid;
alter table case_events drop column xid;
alter table attempt_events drop column xid;
