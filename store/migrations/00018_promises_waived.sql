-- +goose Up
-- A customer who asked for time and then pays now ends it. Unlike one that was withdrawn it has been had: it counts against the next (rules.md §8).
alter table promises drop constraint promises_state_known;
alter table promises add constraint promises_state_known check (state in ('open', 'kept', 'broken', 'withdrawn', 'waived'));

-- +goose Down
update promises set state = 'broken' where state = 'waived';
alter table promises drop constraint promises_state_known;
alter table promises add constraint promises_state_known check (state in ('open', 'kept', 'broken', 'withdrawn'));
