-- +goose Up
-- The simulator's own books: what a gateway would know and nobody else may write. Audits compare Recoup's ledger with them.

create table stripesim.customers (
    id       text primary key,
    seq      bigint generated always as identity unique, -- newest first in lists, as Stripe does
    name     text not null,
    email    text not null,
    metadata jsonb not null,
    created  timestamptz not null
);

create table stripesim.payment_methods (
    id       text primary key,
    seq      bigint generated always as identity unique,
    customer text references stripesim.customers (id),
    token    text not null, -- the test token whose behaviour it has
    kind     text not null check (kind in ('card', 'us_bank_account')),
    detached boolean not null default false, -- a detached method may never be used again
    created  timestamptz not null
);
create index payment_methods_customer on stripesim.payment_methods (customer, seq desc);

create table stripesim.payment_intents (
    id                  text primary key,
    seq                 bigint generated always as identity unique,
    customer            text,
    payment_method      text references stripesim.payment_methods (id),
    amount              bigint not null check (amount > 0),
    amount_received     bigint not null default 0 check (amount_received >= 0),
    currency            text not null check (currency ~ '^[a-z]{3}$'),
    status              text not null check (status in ('requires_payment_method', 'requires_confirmation', 'requires_action', 'processing', 'succeeded', 'canceled')),
    method_types        text[] not null,
    off_session         boolean not null default false,
    description         text not null,
    metadata            jsonb not null,
    latest_charge       text,
    last_error          jsonb,
    next_action         jsonb,
    cancellation_reason text,
    canceled_at         timestamptz,
    created             timestamptz not null
);
create index payment_intents_metadata on stripesim.payment_intents using gin (metadata jsonb_path_ops);
create index payment_intents_customer on stripesim.payment_intents (customer, seq desc);
create index payment_intents_created on stripesim.payment_intents (created);

-- A charge is money: its row is committed in the transaction that moves it, whatever the answer on the wire says afterwards.
create table stripesim.charges (
    id              text primary key,
    seq             bigint generated always as identity unique,
    payment_intent  text not null references stripesim.payment_intents (id),
    payment_method  text not null references stripesim.payment_methods (id),
    customer        text,
    amount          bigint not null check (amount > 0),
    amount_refunded bigint not null default 0 check (amount_refunded between 0 and amount),
    currency        text not null,
    status          text not null check (status in ('succeeded', 'pending', 'failed')),
    returned        boolean not null default false, -- taken back by the bank or by a dispute after it had succeeded
    failure         jsonb,
    metadata        jsonb not null,
    idempotency_key text not null,
    settles_at      timestamptz, -- a bank debit's next step falls due
    settle_step     text check (settle_step in ('settle', 'fail', 'return', 'dispute')),
    created         timestamptz not null
);
create index charges_intent on stripesim.charges (payment_intent);
create index charges_due on stripesim.charges (settles_at) where settle_step is not null;
-- One intent never takes money twice.
create unique index charges_one_per_intent on stripesim.charges (payment_intent) where status <> 'failed';

create table stripesim.refunds (
    id             text primary key,
    seq            bigint generated always as identity unique,
    charge         text not null references stripesim.charges (id),
    payment_intent text not null,
    amount         bigint not null check (amount > 0),
    currency       text not null,
    reason         text not null,
    metadata       jsonb not null,
    created        timestamptz not null
);

create table stripesim.disputes (
    id             text primary key,
    seq            bigint generated always as identity unique,
    charge         text not null references stripesim.charges (id),
    payment_intent text not null,
    amount         bigint not null,
    currency       text not null,
    reason         text not null,
    status         text not null,
    created        timestamptz not null
);

-- How often a test method that declines at first was tried, and since when.
create table stripesim.method_tries (
    counter    text primary key,
    tries      integer not null,
    first_try  timestamptz not null
);

create table stripesim.idempotency_keys (
    key         text primary key,
    endpoint    text not null, -- method and path
    params_hash text not null,
    status      integer, -- null while the first request is still being executed
    body        bytea,
    claimed_by  text not null, -- the process that executes it: after a crash its claims are void, for nothing was committed
    created     timestamptz not null
);
create index idempotency_keys_created on stripesim.idempotency_keys (created);

-- Events are the webhook outbox too: written in the transaction of the fact they tell.
create table stripesim.events (
    id           text primary key,
    seq          bigint generated always as identity unique,
    type         text not null,
    object       jsonb not null,
    idempotency_key text not null,
    created      timestamptz not null,
    tries        integer not null default 0,
    next_try     timestamptz, -- null: delivered, given up or nobody listens
    delivered_at timestamptz,
    last_answer  text not null default ''
);
create index events_outbox on stripesim.events (next_try) where next_try is not null;

create table stripesim.fault_scripts (
    id              bigint generated always as identity primary key,
    fault           text not null,
    delay_ms        bigint not null default 0,
    endpoint        text not null default '', -- '' matches any
    token           text not null default '',
    idempotency_key text not null default '',
    remaining       integer not null check (remaining >= 0),
    created         timestamptz not null
);

create table stripesim.faults_injected (
    id              bigint generated always as identity primary key,
    fault           text not null,
    endpoint        text not null,
    token           text not null,
    idempotency_key text not null,
    source          text not null check (source in ('script', 'method')),
    at              timestamptz not null
);
-- A fault of a test method happens on the first send of a key only.
create unique index faults_once_per_key on stripesim.faults_injected (idempotency_key) where source = 'method' and idempotency_key <> '';

-- +goose Down
drop schema stripesim cascade;
