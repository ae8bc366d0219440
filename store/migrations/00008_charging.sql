-- +goose Up
-- The kill switch: a person's order to charge nothing at one gateway, or at any ('*'). No row: charging runs.
create table charging_stops (
    gateway    text primary key constraint charging_stops_gateway_shape check (gateway = '*' or gateway ~ '^[a-z0-9_-]{1,40}$'),
    stopped_by text not null constraint charging_stops_signed check (btrim(stopped_by) <> ''),
    reason     text not null constraint charging_stops_explained check (btrim(reason) <> ''),
    since      timestamptz not null default now()
);

-- T1: since when a stop of ours keeps the case from going on; its stage clock moves by that time when it goes on.
alter table cases add column paused_since timestamptz;
create index cases_paused on cases (id) where finished_at is null and paused_since is not null;

-- +goose Down
drop index cases_paused;
alter table cases drop column paused_since;
drop table charging_stops;
