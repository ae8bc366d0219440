-- +goose Up
create table invoices (
    id              text primary key constraint invoices_id_shape check (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    number          text not null,
    account_id      text not null references accounts (id),
    state           text not null default 'open'
        constraint invoices_state_known check (state in ('open', 'paid', 'void', 'written_off')),
    currency        char(3) not null,
    total_minor     bigint not null,
    allocated_minor bigint not null default 0,
    due_date        date not null,
    -- The instants that follow from due_date, the account's zone and its policy (T2), computed once at import.
    due_at          timestamptz not null,
    collect_at      timestamptz not null,
    marketplace     boolean not null default false,
    -- Hash of the imported content: the same invoice again changes nothing, another content under the same id is refused.
    content_hash    bytea not null,
    created_at      timestamptz not null default now(),
    settled_at      timestamptz,
    -- M3, the column's half; the journal's half is the trigger invoices_agree_with_journal.
    constraint invoices_allocated_in_range check (0 <= allocated_minor and allocated_minor <= total_minor),
    constraint invoices_paid_exactly check (state <> 'paid' or allocated_minor = total_minor),
    constraint invoices_open_not_covered check (state <> 'open' or allocated_minor < total_minor)
);
-- The due scan pages through this index by (collect_at, id).
create index invoices_open_by_collect_at on invoices (collect_at, id) where state = 'open';
create index invoices_by_account on invoices (account_id, due_at);

create table invoice_lines (
    invoice_id   text not null references invoices (id),
    position     int not null,
    service      text not null,
    charge_kind  text not null constraint invoice_lines_charge_kind_known
        check (charge_kind in ('usage', 'recurring', 'upfront', 'marketplace', 'support', 'tax', 'adjustment')),
    description  text not null default '',
    period_start date not null,
    amount_minor bigint not null,
    primary key (invoice_id, position)
);

-- +goose Down
drop table invoice_lines;
drop table invoices;
