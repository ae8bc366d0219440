-- +goose Up
-- The customer. One row lock here serialises everything that decides money for the account (M4): it is always taken first.
create table accounts (
    id             text primary key constraint accounts_id_shape check (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    name           text not null,
    parent_id      text references accounts (id),
    time_zone      text not null,
    locale         text not null default 'en-US',
    country        text not null default '',
    policy         text not null default 'standard',
    credit_sharing boolean not null default false,
    standing       text not null default 'active'
        constraint accounts_standing_known check (standing in ('active', 'suspended', 'closed')),
    -- Counts every change of standing, so that a late call of the suspension hook can be told from a newer one (S3).
    generation     bigint not null default 0,
    created_at     timestamptz not null default now(),
    constraint accounts_not_own_parent check (parent_id is distinct from id)
);
create index accounts_parent on accounts (parent_id) where parent_id is not null;

-- Names and addresses of people live only here: erasing a person is erasing these rows.
create table contacts (
    account_id text not null references accounts (id),
    position   int  not null constraint contacts_position_from_one check (position >= 1),
    name       text not null default '',
    email      text not null,
    primary key (account_id, position),
    constraint contacts_email_once unique (account_id, email)
);

create table payment_methods (
    id                text primary key constraint payment_methods_id_shape check (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    account_id        text not null references accounts (id),
    gateway           text not null,
    token             text not null,
    customer_token    text not null default '',
    kind              text not null constraint payment_methods_kind_known check (kind in ('card', 'us_bank_account', 'sepa_debit')),
    brand             text not null default '',
    last4             text not null default '' constraint payment_methods_last4_short check (last4 ~ '^[0-9A-Za-z]{0,4}$'),
    expiry_month      int not null default 0 constraint payment_methods_expiry_month check (expiry_month between 0 and 12),
    expiry_year       int not null default 0,
    currency          text not null default '',
    position          int not null constraint payment_methods_position_from_one check (position >= 1),
    state             text not null default 'active' constraint payment_methods_state_known
        check (state in ('active', 'disabled', 'blocked', 'needs_update', 'needs_authentication')),
    state_reason      text not null default '',
    retry_not_before  timestamptz,
    added_at          timestamptz not null default now(),
    last_succeeded_at timestamptz,
    -- Deferred: reordering swaps positions inside one transaction.
    constraint payment_methods_position_once unique (account_id, position) deferrable initially deferred
);

-- +goose Down
drop table payment_methods;
drop table contacts;
drop table accounts;
