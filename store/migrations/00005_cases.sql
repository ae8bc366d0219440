-- +goose Up
-- One episode of collecting one invoice; unique per (invoice, episode): the lasting guard against a second workflow, because Temporal
-- forgets workflow ids after retention.
create table cases (
    id                   text primary key,
    invoice_id           text not null references invoices (id),
    episode              int not null constraint cases_episode_from_one check (episode >= 1),
    account_id           text not null references accounts (id),
    policy               text not null,
    policy_version       int not null,
    stage                text not null default 'collecting' constraint cases_stage_known check
        (stage in ('collecting', 'retrying', 'final_notice', 'suspension_scheduled', 'suspended', 'finished')),
    -- The stage clock (T1): its start, and what holds and our own outages added since.
    clock_started_at     timestamptz not null,
    clock_shift_seconds  bigint not null default 0 constraint cases_clock_never_runs_ahead check (clock_shift_seconds >= 0),
    scheduled_rounds     int not null default 0,
    rounds               int not null default 0,
    last_round_began_at  timestamptz,
    -- Who asked for an early round (D7).
    wake                 text not null default '' constraint cases_wake_known check (wake in ('', 'machine', 'person')),
    -- The one method that a person asked to try, or none: the whole order.
    wake_method          text not null default '',
    held_since           timestamptz,
    held_until           timestamptz,
    hold_scopes          text[] not null default '{}',
    hold_extended        boolean not null default false,
    postponed_until      timestamptz,
    postponed_why        text not null default '',
    round_deferred_until timestamptz,
    -- The last answer to "what comes next?" (dunning.Step), for pages and operators.
    next_step            jsonb not null default '{}',
    next_at              timestamptz,
    opened_at            timestamptz not null default now(),
    workflow_started_at  timestamptz,
    finished_at          timestamptz,
    outcome              text not null default '',
    constraint cases_once_per_episode unique (invoice_id, episode),
    constraint cases_finished_has_outcome check ((stage = 'finished') = (finished_at is not null) and (finished_at is null or outcome <> '')),
    constraint cases_hold_has_end check ((held_since is null) = (held_until is null))
);
create unique index cases_one_live_per_invoice on cases (invoice_id) where finished_at is null;
create index cases_by_account on cases (account_id);
create index cases_live_by_stage on cases (stage, next_at) where finished_at is null;
create index cases_to_start on cases (opened_at) where workflow_started_at is null and finished_at is null;

create table rounds (
    case_id   text not null references cases (id),
    number    int not null,
    cause     text not null constraint rounds_cause_known check (cause in ('scheduled', 'machine', 'person')),
    began_at  timestamptz not null default now(),
    ended_at  timestamptz,
    result    text not null default '',
    primary key (case_id, number)
);
create unique index rounds_one_open_per_case on rounds (case_id) where ended_at is null;

-- The order of methods as read when the round began, with what was skipped and why (PM1, PM2).
create table round_methods (
    case_id    text not null,
    round      int not null,
    position   int not null,
    method_id  text not null references payment_methods (id),
    skip       text not null default '',
    primary key (case_id, round, position),
    foreign key (case_id, round) references rounds (case_id, number)
);

-- One instruction to a gateway for one method. The row is committed before the gateway is called; its id is the idempotency key (PM5).
create table attempts (
    id                uuid primary key,
    case_id           text not null references cases (id),
    invoice_id        text not null references invoices (id),
    account_id        text not null references accounts (id),
    method_id         text not null references payment_methods (id),
    gateway           text not null,
    round             int not null,
    position          int not null,
    state             text not null default 'intent' constraint attempts_state_known check (state in
        ('intent', 'sent', 'succeeded', 'declined', 'action_required', 'pending', 'unknown', 'not_sent')),
    -- Frozen at the last look (PM6): a new amount is a new attempt.
    amount_minor      bigint not null constraint attempts_amount_positive check (amount_minor > 0),
    currency          char(3) not null,
    -- Stamped before the first byte leaves: null proves that nothing was sent; the key's window counts from it (U1).
    first_sent_at     timestamptz,
    sends             int not null default 0,
    lookups           int not null default 0,
    next_at           timestamptz,
    gateway_reference text not null default '',
    captured_minor    bigint,
    captured_currency char(3),
    class             text not null default '',
    decline_code      text not null default '',
    advice_code       text not null default '',
    network_code      text not null default '',
    ruling            text not null default '',
    message           text not null default '',
    created_at        timestamptz not null default now(),
    ended_at          timestamptz,
    constraint attempts_once_per_round_and_method unique (case_id, round, method_id),
    constraint attempts_ended_when_final check ((ended_at is not null) = (state in ('succeeded', 'declined', 'not_sent'))),
    constraint attempts_sent_is_stamped check (state in ('intent', 'not_sent') or first_sent_at is not null)
);
-- PM4: one open attempt per invoice, whoever tries.
create unique index attempts_one_open_per_invoice on attempts (invoice_id)
    where state in ('intent', 'sent', 'action_required', 'pending', 'unknown');
create index attempts_by_case on attempts (case_id, round, position);
-- D4: budgets are counted per method across all invoices.
create index attempts_budget on attempts (method_id, created_at);

create table attempt_events (
    id         bigint generated always as identity primary key,
    attempt_id uuid not null references attempts (id),
    at         timestamptz not null default now(),
    from_state text not null,
    to_state   text not null,
    detail     jsonb not null default '{}'
);
create index attempt_events_by_attempt on attempt_events (attempt_id, id);

-- Everything that happened to a case, in order: its timeline on the pages. Ids, amounts and codes only (I18).
create table case_events (
    id      bigint generated always as identity primary key,
    case_id text not null references cases (id),
    at      timestamptz not null default clock_timestamp(),
    kind    text not null,
    data    jsonb not null default '{}'
);
create index case_events_by_case on case_events (case_id, id);

-- "Re-read!": written with the fact that changed something, delivered to the workflow as Signal poke, coalesced per case.
create table pokes (
    case_id    text primary key references cases (id),
    reason     text not null,
    asked_at   timestamptz not null default now(),
    not_before timestamptz not null default now(),
    tries      int not null default 0
);

create trigger attempt_events_append_only before update or delete or truncate on attempt_events
    for each statement execute function refuse_change();
create trigger case_events_append_only before update or delete or truncate on case_events
    for each statement execute function refuse_change();

-- +goose Down
drop table pokes;
drop table case_events;
drop table attempt_events;
drop table attempts;
drop table round_methods;
drop table rounds;
drop table cases;
