-- +goose Up
-- A person had a live case follow another policy. The same request id returns the first answer (R2).
create table policy_moves (
    request_id   text primary key,
    case_id      text not null references cases (id),
    from_policy  text not null,
    from_version int not null,
    to_policy    text not null,
    to_version   int not null,
    actor        text not null constraint policy_moves_signed check (actor <> ''),
    reason       text not null constraint policy_moves_reason_given check (reason <> ''),
    answer       jsonb not null,
    moved_at     timestamptz not null
);
create index policy_moves_by_case on policy_moves (case_id, moved_at);
create trigger policy_moves_append_only before update or delete or truncate on policy_moves
    for each statement execute function refuse_change();

-- +goose Down
drop table policy_moves;
