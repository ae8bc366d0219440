-- +goose Up
create table credits (
    id              text primary key constraint credits_id_shape check (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    account_id      text not null references accounts (id),
    enabled         boolean not null default true,
    currency        char(3) not null,
    granted_minor   bigint not null constraint credits_granted_positive check (granted_minor > 0),
    remaining_minor bigint not null,
    starts_on       date not null,
    expires_at      timestamptz,
    services        text[] not null default '{}',
    included_kinds  text[] not null default '{}',
    reason          text not null default '',
    granted_at      timestamptz not null default now(),
    constraint credits_remaining_in_range check (0 <= remaining_minor and remaining_minor <= granted_minor)
);
create index credits_usable on credits (account_id) where remaining_minor > 0;

-- One lot of a credit put on one line. Never updated but for its reversal (CR6).
create table credit_applications (
    id            uuid primary key,
    credit_id     text not null references credits (id),
    invoice_id    text not null references invoices (id),
    line_position int not null,
    amount_minor  bigint not null constraint credit_applications_positive check (amount_minor > 0),
    applied_at    timestamptz not null default now(),
    reversed_at   timestamptz,
    foreign key (invoice_id, line_position) references invoice_lines (invoice_id, position)
);
create index credit_applications_by_credit on credit_applications (credit_id);
create index credit_applications_by_invoice on credit_applications (invoice_id);

create table deposits (
    id              text primary key constraint deposits_id_shape check (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    account_id      text not null references accounts (id),
    state           text not null constraint deposits_state_known check (state in ('pending', 'settled', 'returned')),
    reference       text not null,
    currency        char(3) not null,
    amount_minor    bigint not null constraint deposits_amount_positive check (amount_minor > 0),
    remaining_minor bigint not null,
    settled_at      timestamptz,
    created_at      timestamptz not null default now(),
    constraint deposits_remaining_in_range check (0 <= remaining_minor and remaining_minor <= amount_minor),
    -- Funds are usable only when settled (AF3).
    constraint deposits_only_settled_used check (state <> 'pending' or remaining_minor = amount_minor),
    constraint deposits_settled_at check ((state = 'pending') = (settled_at is null))
);
create index deposits_usable on deposits (account_id) where state = 'settled' and remaining_minor > 0;

create table deposit_uses (
    id           uuid primary key,
    deposit_id   text not null references deposits (id),
    invoice_id   text not null references invoices (id),
    amount_minor bigint not null constraint deposit_uses_positive check (amount_minor > 0),
    used_at      timestamptz not null default now(),
    reversed_at  timestamptz
);
create index deposit_uses_by_deposit on deposit_uses (deposit_id);
create index deposit_uses_by_invoice on deposit_uses (invoice_id);

-- A balance and the rows that explain it are two representations of one fact; at commit they must agree. A CHECK on the balance alone
-- held while accounts were overspent (M4), so this looks at both.
-- +goose StatementBegin
create function check_credit_agrees() returns trigger language plpgsql as $$
declare
    cid text;
    wrong boolean;
begin
    if tg_table_name = 'credits' then cid := new.id; else cid := new.credit_id; end if;
    select c.remaining_minor <> c.granted_minor - coalesce(
        (select sum(a.amount_minor) from credit_applications a where a.credit_id = c.id and a.reversed_at is null), 0)
      into wrong from credits c where c.id = cid;
    if wrong then
        raise exception 'credit %: remaining differs from granted less applications', cid
            using errcode = 'check_violation', constraint = 'credits_agree_with_applications';
    end if;
    return null;
end $$;
-- +goose StatementEnd
-- +goose StatementBegin
create function check_deposit_agrees() returns trigger language plpgsql as $$
declare
    did text;
    wrong boolean;
begin
    if tg_table_name = 'deposits' then did := new.id; else did := new.deposit_id; end if;
    select d.remaining_minor <> d.amount_minor - coalesce(
        (select sum(u.amount_minor) from deposit_uses u where u.deposit_id = d.id and u.reversed_at is null), 0)
      into wrong from deposits d where d.id = did;
    if wrong then
        raise exception 'deposit %: remaining differs from amount less uses', did
            using errcode = 'check_violation', constraint = 'deposits_agree_with_uses';
    end if;
    return null;
end $$;
-- +goose StatementEnd
create constraint trigger credits_agree_with_applications after insert or update on credits
    deferrable initially deferred for each row execute function check_credit_agrees();
create constraint trigger credits_agree_with_applications after insert or update on credit_applications
    deferrable initially deferred for each row execute function check_credit_agrees();
create constraint trigger deposits_agree_with_uses after insert or update on deposits
    deferrable initially deferred for each row execute function check_deposit_agrees();
create constraint trigger deposits_agree_with_uses after insert or update on deposit_uses
    deferrable initially deferred for each row execute function check_deposit_agrees();

-- +goose Down
drop table deposit_uses;
drop table deposits;
drop table credit_applications;
drop table credits;
drop function check_credit_agrees;
drop function check_deposit_agrees;
