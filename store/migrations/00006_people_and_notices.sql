-- +goose Up
-- One send per (case or account, kind, round or date, channel, recipient): the row is written before sending (N2).
create table notices (
    id           uuid primary key,
    account_id   text not null references accounts (id),
    case_id      text references cases (id),
    invoice_id   text references invoices (id),
    kind         text not null,
    occasion     text not null, -- the round, attempt, generation or date it belongs to
    channel      text not null constraint notices_channel_known check (channel in ('email', 'console')),
    recipient    int not null default 0, -- position of the contact; 0 for the console
    state        text not null default 'queued' constraint notices_state_known
        check (state in ('queued', 'sending', 'sent', 'failed', 'suppressed')),
    -- What the text needs beyond the ledger: ids, amounts and codes; the text itself is rendered at send time (N3).
    data         jsonb not null default '{}',
    send_after   timestamptz not null default now(),
    tries        int not null default 0,
    lease_until  timestamptz,
    message_id   text not null default '',
    subject      text not null default '',
    body         text not null default '',
    problem      text not null default '',
    read_at      timestamptz,
    created_at   timestamptz not null default clock_timestamp(),
    sent_at      timestamptz,
    constraint notices_sent_at check ((state = 'sent') = (sent_at is not null))
);
create unique index notices_once on notices (account_id, coalesce(case_id, ''), kind, occasion, channel, recipient);
create index notices_to_send on notices (send_after) where state in ('queued', 'sending');
create index notices_by_case on notices (case_id, created_at);
create index notices_by_account on notices (account_id, created_at);

create table suspensions (
    id                    uuid primary key,
    account_id            text not null references accounts (id),
    cause                 text not null constraint suspensions_cause_known check (cause in ('unpaid', 'staff')),
    case_id               text references cases (id),
    suspended_generation  bigint not null,
    suspended_at          timestamptz not null default now(),
    -- What the guarded statement saw (S2), for the audit (I8).
    evidence              jsonb not null,
    lifted_generation     bigint,
    lifted_at             timestamptz,
    lifted_because        text not null default ''
);
-- I9: one active suspension per account and cause.
create unique index suspensions_one_active on suspensions (account_id, cause) where lifted_at is null;

-- Calls of the user's own service (S3): delivered in order of generation, retried until accepted.
create table standing_calls (
    account_id   text not null references accounts (id),
    generation   bigint not null,
    standing     text not null,
    reason       text not null,
    created_at   timestamptz not null default now(),
    send_after   timestamptz not null default now(),
    tries        int not null default 0,
    accepted_at  timestamptz,
    problem      text not null default '',
    primary key (account_id, generation)
);
create index standing_calls_to_send on standing_calls (send_after) where accepted_at is null;

-- Something a person decided (rules.md section 8). The same request id returns the first answer (R2).
create table resolutions (
    request_id text primary key constraint resolutions_request_id_shape check (request_id ~ '^[A-Za-z0-9._:-]{1,128}$'),
    kind       text not null,
    case_id    text not null references cases (id),
    invoice_id text not null references invoices (id),
    actor      text not null constraint resolutions_actor_given check (actor <> ''),
    reason     text not null constraint resolutions_reason_given check (reason <> ''),
    fields     jsonb not null,
    answer     jsonb not null,
    decided_at timestamptz not null default now()
);
create index resolutions_by_case on resolutions (case_id, decided_at);

-- Something a person has to do: a parked case, money to refund.
create table tasks (
    id         uuid primary key,
    key        text not null constraint tasks_key_once unique,
    kind       text not null,
    account_id text not null references accounts (id),
    invoice_id text references invoices (id),
    case_id    text references cases (id),
    attempt_id uuid references attempts (id),
    detail     jsonb not null default '{}',
    opened_at  timestamptz not null default now(),
    closed_at  timestamptz,
    closed_by  text not null default ''
);
create index tasks_open on tasks (opened_at) where closed_at is null;

create table audit_log (
    id         bigint generated always as identity primary key,
    at         timestamptz not null default clock_timestamp(),
    actor      text not null,
    act        text not null,
    reason     text not null default '',
    request_id text not null default '',
    account_id text,
    invoice_id text,
    case_id    text,
    before     jsonb,
    after      jsonb
);
create index audit_log_by_case on audit_log (case_id, id);
create index audit_log_by_account on audit_log (account_id, id);
create trigger audit_log_append_only before update or delete or truncate on audit_log
    for each statement execute function refuse_change();

-- Files taken in by recoup import: all or nothing per file, and the same file again changes nothing.
create table imports (
    id          uuid primary key,
    file        text not null,
    sha256      bytea not null,
    format      text not null,
    counts      jsonb not null,
    imported_at timestamptz not null default now()
);

-- +goose Down
drop table imports;
drop table audit_log;
drop table tasks;
drop table resolutions;
drop table standing_calls;
drop table suspensions;
drop table notices;
