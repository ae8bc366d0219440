-- +goose Up
-- Every movement of value is one balanced transaction (M2). key names the fact it books (an attempt, an invoice, a use): the same fact
-- can't be booked twice.
create table journal_transactions (
    id          bigint generated always as identity primary key,
    kind        text not null,
    key         text not null constraint journal_transactions_key_once unique,
    account_id  text not null references accounts (id),
    recorded_at timestamptz not null default now()
);
create index journal_transactions_by_account on journal_transactions (account_id, id);

-- Debits are positive, credits negative.
create table journal_entries (
    id             bigint generated always as identity primary key,
    transaction_id bigint not null references journal_transactions (id),
    ledger_kind    text not null,
    ledger_account text not null,
    account_id     text not null references accounts (id),
    invoice_id     text references invoices (id),
    credit_id      text references credits (id),
    deposit_id     text references deposits (id),
    amount_minor   bigint not null constraint journal_entries_not_zero check (amount_minor <> 0),
    currency       char(3) not null
);
create index journal_entries_by_transaction on journal_entries (transaction_id);
create index journal_entries_by_invoice on journal_entries (invoice_id) where ledger_kind = 'receivable';
create index journal_entries_unapplied on journal_entries (account_id, currency) where ledger_kind = 'unapplied_funds';

-- +goose StatementBegin
create function check_journal_entry() returns trigger language plpgsql as $$
declare
    wrong boolean;
begin
    select exists (select 1 from journal_entries where transaction_id = new.transaction_id group by currency having sum(amount_minor) <> 0)
      into wrong;
    if wrong then
        raise exception 'journal transaction %: entries do not sum to zero', new.transaction_id
            using errcode = 'check_violation', constraint = 'journal_transactions_balanced';
    end if;
    if new.ledger_kind = 'unapplied_funds' then
        select coalesce(sum(amount_minor), 0) > 0 into wrong from journal_entries
         where ledger_kind = 'unapplied_funds' and account_id = new.account_id and currency = new.currency;
        if wrong then
            raise exception 'account %: unapplied funds below zero', new.account_id
                using errcode = 'check_violation', constraint = 'journal_unapplied_not_negative';
        end if;
    end if;
    return null;
end $$;
-- +goose StatementEnd
create constraint trigger journal_entries_checked after insert on journal_entries
    deferrable initially deferred for each row execute function check_journal_entry();

-- The invoice's columns and the journal are two representations of what is owed; at commit they must agree (M3).
-- +goose StatementBegin
create function check_invoice_agrees() returns trigger language plpgsql as $$
declare
    iid text;
    wrong boolean;
begin
    if tg_table_name = 'invoices' then iid := new.id; else iid := new.invoice_id; end if;
    select case when i.state in ('open', 'paid') then i.total_minor - i.allocated_minor else 0 end
           <> coalesce((select sum(e.amount_minor) from journal_entries e where e.invoice_id = i.id and e.ledger_kind = 'receivable'), 0)
      into wrong from invoices i where i.id = iid;
    if wrong then
        raise exception 'invoice %: amount due differs from its receivable in the journal', iid
            using errcode = 'check_violation', constraint = 'invoices_agree_with_journal';
    end if;
    return null;
end $$;
-- +goose StatementEnd
create constraint trigger invoices_agree_with_journal after insert or update on invoices
    deferrable initially deferred for each row execute function check_invoice_agrees();
create constraint trigger invoices_agree_with_journal after insert on journal_entries
    deferrable initially deferred for each row when (new.ledger_kind = 'receivable') execute function check_invoice_agrees();

-- +goose StatementBegin
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: a correction is a new row', tg_table_name using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd
create trigger journal_transactions_append_only before update or delete or truncate on journal_transactions
    for each statement execute function refuse_change();
create trigger journal_entries_append_only before update or delete or truncate on journal_entries
    for each statement execute function refuse_change();

-- +goose Down
drop table journal_entries;
drop table journal_transactions;
drop function check_journal_entry;
drop function check_invoice_agrees;
drop function refuse_change;
