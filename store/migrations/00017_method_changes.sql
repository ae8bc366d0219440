-- +goose Up
-- A method that was removed or replaced stays for its attempts, without a place in the order.
alter table payment_methods alter column position drop not null;
alter table payment_methods add column removed_at timestamptz;
alter table payment_methods add column replaced_by text references payment_methods (id);
alter table payment_methods add constraint payment_methods_removed_has_no_place check ((removed_at is null) = (position is not null));
alter table payment_methods add constraint payment_methods_removed_is_unusable check (removed_at is null or state <> 'active');

-- The customer wants rounds to try the primary method alone.
alter table accounts add column backups_off boolean not null default false;

-- The one method that a person chose for the round; a backup too, where backups are off.
alter table rounds add column only_method text not null default '';

-- Somebody added, replaced, reordered, disabled or removed methods (PM10). The same request id returns the first answer (R2). The content
-- is kept as a digest: it holds tokens.
create table method_changes (
    request_id text primary key constraint method_changes_request_id_shape check (request_id ~ '^[A-Za-z0-9._:-]{1,128}$'),
    account_id text not null references accounts (id),
    kind       text not null,
    actor      text not null constraint method_changes_signed check (actor <> ''),
    reason     text not null constraint method_changes_reason_given check (reason <> ''),
    content    bytea not null,
    answer     jsonb not null,
    changed_at timestamptz not null
);
create index method_changes_by_account on method_changes (account_id, changed_at);
create trigger method_changes_append_only before update or delete or truncate on method_changes
    for each statement execute function refuse_change();

-- +goose Down
drop table method_changes;
alter table rounds drop column only_method;
alter table accounts drop column backups_off;
alter table payment_methods drop constraint payment_methods_removed_is_unusable;
alter table payment_methods drop constraint payment_methods_removed_has_no_place;
-- What was removed goes behind what is left: without a place it can't stay, and attempts name it.
update payment_methods m set position = p.position from (
    select id, coalesce((select max(o.position) from payment_methods o where o.account_id = r.account_id), 0)
               + row_number() over (partition by account_id order by removed_at, id) as position
      from payment_methods r where removed_at is not null) p where m.id = p.id;
alter table payment_methods drop column replaced_by;
alter table payment_methods drop column removed_at;
alter table payment_methods alter column position set not null;
