-- +goose Up
-- People can decide about an account as a whole; a decision can wait for a second person or for an open attempt, and be taken back.
alter table resolutions alter column case_id drop not null;
alter table resolutions alter column invoice_id drop not null;
alter table resolutions add column account_id text references accounts (id);
update resolutions r set account_id = c.account_id from cases c where c.id = r.case_id;
alter table resolutions alter column account_id set not null;
alter table resolutions add column state text not null default 'done'
    constraint resolutions_state_known check (state in ('proposed', 'waiting', 'done', 'withdrawn', 'reversed'));
-- The decision that this one confirms as a second person, or takes back.
alter table resolutions add column confirms text references resolutions (request_id);
alter table resolutions add column reverses text references resolutions (request_id);
-- What it did, for whoever takes it back: ids, amounts and seconds.
alter table resolutions add column effect jsonb not null default '{}';
create unique index resolutions_confirmed_once on resolutions (confirms) where confirms is not null;
-- Taken back once, however many people try. A reversal that itself waits for a second person counts when it is confirmed.
create unique index resolutions_reversed_once on resolutions (reverses) where reverses is not null and state = 'done';
create index resolutions_by_account on resolutions (account_id, decided_at);

-- What was decided, by whom and why stays as it was said; only where it stands moves.
-- +goose StatementBegin
create function keep_decision() returns trigger language plpgsql as $$
begin
    if tg_op <> 'UPDATE' or (to_jsonb(new) - 'state' - 'effect') is distinct from (to_jsonb(old) - 'state' - 'effect') then
        raise exception 'resolutions: a decision stays as it was made; only its state and effect change' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger resolutions_kept before update or delete on resolutions for each row execute function keep_decision();

-- What a customer promised to pay, and whether they did. The resolution's row is written last, so its reference is checked at commit.
create table promises (
    request_id      text primary key references resolutions (request_id) deferrable initially deferred,
    account_id      text not null references accounts (id),
    invoice_id      text not null references invoices (id),
    case_id         text not null references cases (id),
    currency        char(3) not null,
    amount_minor    bigint not null constraint promises_amount_positive check (amount_minor > 0),
    -- What was allocated when it was made: it is kept when that has grown by the amount.
    allocated_minor bigint not null,
    until           timestamptz not null,
    -- The stage clock stands until then: the date and a day.
    stops_until     timestamptz not null,
    made_at         timestamptz not null,
    state           text not null default 'open' constraint promises_state_known check (state in ('open', 'kept', 'broken', 'withdrawn')),
    ended_at        timestamptz,
    constraint promises_ended check ((state = 'open') = (ended_at is null))
);
create unique index promises_one_open_per_invoice on promises (invoice_id) where state = 'open';
create index promises_by_account on promises (account_id, made_at);

-- The part of an invoice that the customer disputes: it isn't collected, and the account isn't suspended for the invoice (S1).
create table disputes (
    request_id   text primary key references resolutions (request_id) deferrable initially deferred,
    account_id   text not null references accounts (id),
    invoice_id   text not null references invoices (id),
    case_id      text not null references cases (id),
    currency     char(3) not null,
    amount_minor bigint not null constraint disputes_amount_positive check (amount_minor > 0),
    claim        text not null,
    opened_at    timestamptz not null,
    ended_at     timestamptz,
    outcome      text not null default '' constraint disputes_outcome_known check (outcome in ('', 'upheld', 'rejected', 'settled')),
    constraint disputes_ended check ((ended_at is null) = (outcome = ''))
);
create unique index disputes_one_open_per_invoice on disputes (invoice_id) where ended_at is null;

-- The open promise's stops_until; what a person decided to end the case with while an attempt was open.
alter table cases add column promised_until timestamptz;
alter table cases add column closing text not null default '' constraint cases_closing_known check (closing in ('', 'void', 'written_off'));
alter table cases add column closing_request text not null default '';

alter table accounts add column never_suspend_since timestamptz;
alter table accounts add column never_suspend_until timestamptz;
-- A hold on all cases of an account, those that are opened while it lasts too.
alter table accounts add column held_until timestamptz;
alter table accounts add column hold_scopes text[] not null default '{}';
alter table accounts add column hold_extended boolean not null default false;

-- Goodwill is for one invoice: it never pays another.
alter table credits add column for_invoice text references invoices (id);

-- +goose Down
drop trigger resolutions_kept on resolutions;
drop function keep_decision;
alter table credits drop column for_invoice;
alter table accounts drop column hold_extended, drop column hold_scopes, drop column held_until, drop column never_suspend_until,
    drop column never_suspend_since;
alter table cases drop column closing_request, drop column closing, drop column promised_until;
drop table disputes;
drop table promises;
drop index resolutions_by_account;
drop index resolutions_reversed_once;
drop index resolutions_confirmed_once;
delete from resolutions where case_id is null;
alter table resolutions drop column effect, drop column reverses, drop column confirms, drop column state, drop column account_id;
alter table resolutions alter column invoice_id set not null;
alter table resolutions alter column case_id set not null;
