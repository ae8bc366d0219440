-- +goose Up
-- What lists and the overview page through; each is read in this order and cut off after a page.
create index cases_live_by_next_action on cases (coalesce(next_at, 'infinity'), id) where finished_at is null;
create index cases_finished on cases (finished_at, id) where finished_at is not null;
create index journal_transactions_by_time on journal_transactions (recorded_at);

-- +goose Down
drop index journal_transactions_by_time;
drop index cases_finished;
drop index cases_live_by_next_action;
