-- +goose Up
-- What gateways told by webhook, stored before it is acted on: ids only (I18). An event is a hint to look again, never a fact, so
-- its content is not kept.
create table gateway_events (
    gateway     text not null,
    event_id    text not null,
    type        text not null,
    about       text not null constraint gateway_events_about_known check (about in ('progress', 'outcome', 'capture', 'reversal', 'other')),
    -- The attempt of ours that it is about, by our metadata or by the gateway's reference; null: none that we know.
    attempt_id  uuid references attempts (id),
    reference   text not null default '',
    happened_at timestamptz,
    received_at timestamptz not null default now(),
    -- A gateway delivers at least once: the second copy finds its row and changes nothing.
    primary key (gateway, event_id)
);
create index gateway_events_by_attempt on gateway_events (attempt_id, received_at) where attempt_id is not null;
-- A dispute names the gateway's object, not our attempt.
create index attempts_by_gateway_reference on attempts (gateway, gateway_reference) where gateway_reference <> '';
-- Money that no account of ours is known to is still somebody's to look at (faults.md B6).
alter table tasks alter column account_id drop not null;

create trigger gateway_events_append_only before update or delete or truncate on gateway_events
    for each statement execute function refuse_change();

-- +goose Down
delete from tasks where account_id is null;
alter table tasks alter column account_id set not null;
drop index attempts_by_gateway_reference;
drop table gateway_events;
