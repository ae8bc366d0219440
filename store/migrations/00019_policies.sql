-- +goose Up
-- Every version of every policy, as it was written (D5). A version is never changed: a case keeps the one it was opened with, for as long
-- as it lives and for whoever asks afterwards. cases has no foreign key here: every case would lock one and the same row when it opens.
create table policies (
    name     text not null constraint policies_name_shape check (name ~ '^[a-z][a-z0-9-]{0,31}$'),
    version  int not null constraint policies_version_from_one check (version >= 1),
    document text not null constraint policies_document_bounded check (length(document) between 1 and 65536),
    added_at timestamptz not null default clock_timestamp(),
    added_by text not null constraint policies_signed check (added_by <> ''),
    reason   text not null constraint policies_reason_given check (reason <> ''),
    primary key (name, version)
);
create trigger policies_append_only before update or delete or truncate on policies
    for each statement execute function refuse_change();

-- The customer's plan, as the company that bills calls it: segments may go by it. Free text would not do for rules.
alter table accounts add column plan text not null default ''
    constraint accounts_plan_shape check (plan = '' or plan ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$');

-- '' is "none named", which rules decide. So far an account that named none got 'standard', and nobody can tell those apart any more
-- from accounts that named it: rules would otherwise pass all of them by.
alter table accounts alter column policy set default '';
update accounts set policy = '' where policy = 'standard';

-- Which policy new cases follow: of one account, or of a segment. A rule is ended, not changed, so that the past can be explained.
create table policy_assignments (
    id             bigint generated always as identity primary key,
    account_id     text references accounts (id),
    priority       int constraint policy_assignments_priority_in_bounds check (priority between 1 and 10000),
    currency       text,
    country        text,
    plan           text,
    from_minor     bigint,
    below_minor    bigint,
    policy         text not null,
    policy_version int, -- null: the newest when a case opens
    created_at     timestamptz not null default clock_timestamp(),
    created_by     text not null constraint policy_assignments_signed check (created_by <> ''),
    reason         text not null constraint policy_assignments_reason_given check (reason <> ''),
    ended_at       timestamptz,
    ended_by       text,
    ended_why      text,
    constraint policy_assignments_account_or_segment check ((account_id is null) = (priority is not null)),
    constraint policy_assignments_segment_names_some check (account_id is not null or num_nonnulls(currency, country, plan) > 0),
    constraint policy_assignments_account_has_no_more check
        (account_id is null or num_nonnulls(currency, country, plan, from_minor, below_minor) = 0),
    constraint policy_assignments_bounds_have_a_currency check (num_nonnulls(from_minor, below_minor) = 0 or currency is not null),
    constraint policy_assignments_end_is_signed check (num_nonnulls(ended_at, ended_by, ended_why) in (0, 3))
);
-- What makes the choice one: a single rule per account and per priority is in force.
create unique index policy_assignments_one_per_account on policy_assignments (account_id) where ended_at is null and account_id is not null;
create unique index policy_assignments_one_per_priority on policy_assignments (priority) where ended_at is null and priority is not null;

-- +goose Down
drop table policy_assignments;
update accounts set policy = 'standard' where policy = '';
alter table accounts alter column policy set default 'standard';
alter table accounts drop column plan;
drop table policies;
