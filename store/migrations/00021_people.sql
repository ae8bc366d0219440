-- +goose Up
-- Who is signed in. The secret is in the browser's cookie; here is only its hash, so that a copy of this table signs nobody in.
create table sessions (
    id           uuid primary key,
    secret_hash  bytea not null constraint sessions_secret_once unique,
    issuer       text not null,
    subject      text not null,
    name         text not null constraint sessions_name_given check (name <> ''),
    roles        text[] not null,
    account_id   text references accounts (id),
    -- When the person last proved who they are, which may be later than the session's start: some acts want it fresh.
    signed_in_at timestamptz not null,
    created_at   timestamptz not null default now(),
    seen_at      timestamptz not null default now(),
    expires_at   timestamptz not null,
    address      text not null default '',
    ended_at     timestamptz,
    ended_by     text not null default '',
    constraint sessions_end_after_start check (expires_at > created_at)
);
create index sessions_live on sessions (expires_at) where ended_at is null;

-- What programs show instead of a session. Shown once when made; kept as a hash; always with an end.
create table api_tokens (
    id          uuid primary key,
    secret_hash bytea not null constraint api_tokens_secret_once unique,
    name        text not null constraint api_tokens_name_given check (name <> ''),
    scopes      text[] not null constraint api_tokens_scopes_given check (cardinality(scopes) > 0),
    account_id  text references accounts (id),
    created_by  text not null,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    used_at     timestamptz,
    revoked_at  timestamptz,
    revoked_by  text not null default '',
    constraint api_tokens_end_after_start check (expires_at > created_at)
);

-- Links by which an account's own person signs in, made by staff or by the company's own site through the API; each is good once.
create table portal_links (
    secret_hash bytea primary key,
    account_id  text not null references accounts (id),
    role        text not null constraint portal_links_role_known check (role in ('owner', 'billing_manager', 'account_viewer')),
    name        text not null constraint portal_links_name_given check (name <> ''),
    created_by  text not null,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    used_at     timestamptz
);

-- From where an act came: the door, the session or token, the address. Set per transaction (store.WithOrigin).
alter table audit_log add column origin text not null default coalesce(current_setting('recoup.origin', true), '');
create index audit_log_by_actor on audit_log (actor, id);

-- +goose Down
drop index audit_log_by_actor;
alter table audit_log drop column origin;
drop table portal_links;
drop table api_tokens;
drop table sessions;
