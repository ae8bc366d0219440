-- +goose Up
-- S4: too many suspensions within an hour are more likely our mistake than our customers'. One row, so that all workers agree on the
-- bounds and on whether suspensions are stopped; it is locked while an account is suspended, so that none slips past the count.
create table suspension_breaker (
    single          boolean primary key default true constraint suspension_breaker_one_row check (single),
    -- Suspensions stop when more accounts than max(floor, share of the active ones) would be suspended within an hour.
    floor           int not null default 20 constraint suspension_breaker_floor check (floor between 0 and 1000000),
    share           numeric not null default 0.005 constraint suspension_breaker_share check (share between 0 and 1),
    -- Those before a person allowed suspensions again count no more.
    counted_from    timestamptz not null default '-infinity',
    active_accounts bigint not null default 0,
    active_at       timestamptz not null default '-infinity',
    stopped_since   timestamptz,
    stopped_why     text not null default '',
    constraint suspension_breaker_says_why check ((stopped_since is null) = (stopped_why = ''))
);
insert into suspension_breaker default values;
create index suspensions_by_time on suspensions (suspended_at) where cause = 'unpaid';
create index cases_put_off on cases (id) where finished_at is null and stage = 'suspension_scheduled' and postponed_until is not null;

-- +goose Down
drop index cases_put_off;
drop index suspensions_by_time;
drop table suspension_breaker;
