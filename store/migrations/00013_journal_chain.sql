-- +goose Up
-- Triggers keep the journal append-only, but who owns the tables can turn them off. So each transaction is also chained: a link holds
-- the SHA-256 of the link before it in the same account and of the transaction with all its entries. What is edited, removed, inserted
-- or reordered later no longer fits, and recoup audit (I15) says which. The bytes are defined in docs/ledger.md; changing them is a new version.
--
-- One chain per account, not one for all: a single chain would let one transaction commit at a time.

-- The transaction that wrote a row, so that an audit can read what was committed since the last one (ids commit out of order). Null:
-- from before this migration. Statement-wide: adding the default later keeps the table from being written anew.
alter table journal_transactions add column xid bigint;
alter table journal_transactions alter column xid set default pg_current_xact_id()::text::bigint;
create index journal_transactions_by_xid on journal_transactions using brin (xid) with (pages_per_range = 16);

create table journal_links (
    account_id     text not null,
    position       bigint not null constraint journal_links_from_one check (position >= 1),
    transaction_id bigint not null,
    hash           bytea not null constraint journal_links_hash_sha256 check (octet_length(hash) = 32),
    primary key (account_id, position)
);
create trigger journal_links_append_only before update or delete or truncate on journal_links
    for each statement execute function refuse_change();

-- Where each chain ends: a chain whose end was cut off no longer reaches it. Its row is also the lock of the chain.
create table journal_heads (
    account_id text primary key,
    length     bigint not null constraint journal_heads_not_negative check (length >= 0),
    hash       bytea not null constraint journal_heads_hash_sha256 check (octet_length(hash) = 32)
);

-- A field as a netstring, null as "-,": no two lists of fields give the same text.
-- +goose StatementBegin
create function journal_field(value text) returns text language sql immutable parallel safe as $$
    select coalesce(octet_length(value)::text || ':' || value || ',', '-,')
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function journal_chain(t journal_transactions) returns void language plpgsql as $$
declare
    head    journal_heads;
    entries text;
    n       bigint;
begin
    select * into head from journal_heads where account_id = t.account_id for update;
    if not found then
        insert into journal_heads (account_id, length, hash) values (t.account_id, 0, decode(repeat('00', 32), 'hex')) on conflict do nothing;
        select * into head from journal_heads where account_id = t.account_id for update;
    end if;
    select count(*), coalesce(string_agg(journal_field(e.id::text) || journal_field(e.ledger_kind) || journal_field(e.ledger_account)
               || journal_field(e.account_id) || journal_field(e.invoice_id) || journal_field(e.credit_id) || journal_field(e.deposit_id)
               || journal_field(e.amount_minor::text) || journal_field(e.currency::text), '' order by e.id), '')
      into n, entries from journal_entries e where e.transaction_id = t.id;
    head.length := head.length + 1;
    head.hash := sha256(convert_to(
        journal_field('recoup-journal-1') || journal_field(encode(head.hash, 'hex')) || journal_field(head.length::text)
        || journal_field(t.id::text) || journal_field(t.kind) || journal_field(t.key) || journal_field(t.account_id)
        || journal_field((extract(epoch from t.recorded_at) * 1000000)::bigint::text) || journal_field(n::text) || entries, 'UTF8'));
    insert into journal_links (account_id, position, transaction_id, hash) values (t.account_id, head.length, t.id, head.hash);
    update journal_heads set length = head.length, hash = head.hash where account_id = t.account_id;
end $$;
-- +goose StatementEnd

-- As its owner: the application's role can't write links itself.
-- +goose StatementBegin
create function chain_journal_transaction() returns trigger language plpgsql security definer as $$
begin
    perform journal_chain(new);
    return null;
end $$;
-- +goose StatementEnd
-- A function that runs as its owner must not find somebody's temporary tables first.
-- +goose StatementBegin
do $$ begin
    execute format('alter function chain_journal_transaction() set search_path = pg_catalog, %I, pg_temp', current_schema());
    execute 'revoke all on function chain_journal_transaction(), journal_chain(journal_transactions) from public';
end $$;
-- +goose StatementEnd

-- At commit, when all entries are there, and for every writer, so that none can forget it.
create constraint trigger journal_transactions_chained after insert on journal_transactions
    deferrable initially deferred for each row execute function chain_journal_transaction();

-- What is there already, in the order of its ids.
-- +goose StatementBegin
do $$
declare t journal_transactions;
begin
    for t in select * from journal_transactions order by id loop
        perform journal_chain(t);
    end loop;
end $$;
-- +goose StatementEnd

-- +goose Down
drop trigger journal_transactions_chained on journal_transactions;
drop function chain_journal_transaction;
drop function journal_chain;
drop function journal_field;
drop table journal_heads;
drop table journal_links;
drop index journal_transactions_by_xid;
alter table journal_transactions drop column xid;
