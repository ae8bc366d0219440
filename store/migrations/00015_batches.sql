-- +goose Up
-- An act over many cases: recorded whole, with the list of its items as it was then, before anything is done (R1). A workflow carries the
-- items out at a bounded rate; this table says how far it is, so that a crash, a reset or a lost Temporal repeats nothing.
create table batches (
    id          text primary key constraint batches_id_shape check (id ~ '^[0-9]{8}-[a-z0-9]{6}$'),
    -- The same request id returns the first batch (R2).
    request_id  text not null constraint batches_once_per_request unique,
    kind        text not null constraint batches_kind_known check (kind in ('retry_now', 'hold', 'release', 'move_policy')),
    actor       text not null constraint batches_signed check (btrim(actor) <> ''),
    reason      text not null constraint batches_explained check (btrim(reason) <> ''),
    -- What was asked and how the items were chosen, as it was said; and the policy's version that "the newest" was.
    asked       jsonb not null,
    policy_version int,
    per_minute  int not null constraint batches_pace_bounded check (per_minute between 1 and 6000),
    items       int not null constraint batches_not_empty check (items > 0),
    state       text not null default 'running' constraint batches_state_known check (state in ('running', 'paused', 'cancelled', 'done')),
    -- Who paused, resumed or cancelled it last, and why.
    state_by    text not null default '',
    state_why   text not null default '',
    recorded_at timestamptz not null,
    ended_at    timestamptz,
    -- Since when its workflow is to be started or told to re-read; null when it was. Delivered by the poker, so nothing is lost while
    -- Temporal is down.
    wake_asked_at   timestamptz,
    wake_not_before timestamptz not null default now(),
    wake_tries      int not null default 0,
    constraint batches_ended check ((ended_at is not null) = (state in ('cancelled', 'done')))
);
create index batches_to_wake on batches (wake_not_before) where wake_asked_at is not null;
create index batches_live on batches (id) where ended_at is null;
create index batches_by_time on batches (recorded_at desc, id desc);

create table batch_items (
    batch_id   text not null references batches (id),
    number     int not null constraint batch_items_from_one check (number >= 1),
    invoice_id text not null references invoices (id),
    -- Known once it was carried out: the live case then.
    case_id    text references cases (id),
    state      text not null default 'waiting' constraint batch_items_state_known
        check (state in ('waiting', 'done', 'proposed', 'refused', 'not_there', 'failed', 'left_out')),
    -- What it changed, or why it did not, and what the case does next: in words for a person.
    says       text not null default '',
    next       text not null default '',
    -- The resolution or the move that it was carried out as.
    request_id text not null default '',
    ended_at   timestamptz,
    primary key (batch_id, number),
    constraint batch_items_once_per_invoice unique (batch_id, invoice_id),
    constraint batch_items_ended check ((ended_at is not null) = (state <> 'waiting'))
);
create index batch_items_by_state on batch_items (batch_id, state, number);

-- Attempts that failed for a reason of ours or the gateway's are few; those of one outage are found by when they ended.
create index attempts_not_the_customers on attempts (ended_at) where class in ('transient', 'our_config');

-- +goose Down
drop index attempts_not_the_customers;
drop table batch_items;
drop table batches;
