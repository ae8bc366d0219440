-- +goose Up
-- Money that a bank or a card network took back after an attempt had succeeded (U5), once per attempt and reference of the gateway's,
-- and where it was missing then.
create table reversals (
    attempt_id      uuid not null references attempts (id),
    reference       text not null constraint reversals_reference_given check (reference <> ''),
    code            text not null default '',
    currency        char(3) not null,
    amount_minor    bigint not null constraint reversals_amount_positive check (amount_minor > 0),
    unapplied_minor bigint not null,
    reopened_minor  bigint not null,
    lost_minor      bigint not null,
    -- The case that collects what is due again, or null when the invoice isn't collected any more.
    case_id         text references cases (id),
    booked_at       timestamptz not null,
    primary key (attempt_id, reference),
    constraint reversals_parts_make_the_whole check (unapplied_minor >= 0 and reopened_minor >= 0 and lost_minor >= 0
        and unapplied_minor + reopened_minor + lost_minor = amount_minor)
);
create trigger reversals_append_only before update or delete or truncate on reversals
    for each statement execute function refuse_change();

-- Attempts to ask the gateway about: because it told of a reversal, or because a bank debit may still come back. A queue, not a fact.
create table reversal_checks (
    attempt_id uuid primary key references attempts (id),
    asked_at   timestamptz not null,
    not_before timestamptz not null,
    tries      int not null default 0
);
create index reversal_checks_due on reversal_checks (not_before);

-- A reversal opens a new case, linked to the one whose money went back (U5).
alter table cases add column reopens text references cases (id);

-- +goose Down
alter table cases drop column reopens;
drop table reversal_checks;
drop table reversals;
