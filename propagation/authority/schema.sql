-- The state of an authority: what it may issue, its keys, and all that it did issue.
-- Times are seconds since 1970. Private keys are files beside, never rows.

create table if not exists meta (
    name text primary key,
    value text not null
);

-- Ids are never reused: rows are ended, not deleted.
create table if not exists services (
    id text not null,
    project text not null,
    environment text not null,
    primary key (project, environment, id)
);

create table if not exists deployments (
    id text not null,
    service text not null,
    project text not null,
    environment text not null,
    state text not null check (state in ('active', 'grace', 'ended')),
    addresses text not null,   -- JSON list of host:port
    dns_names text not null,   -- JSON list; only these ever get into a certificate
    since_s integer not null,
    primary key (project, environment, service, id)
);

create table if not exists bindings (
    id text primary key,
    caller text not null,      -- Service id
    callee text not null,      -- Service id
    epoch integer not null,
    active integer not null,
    proof text not null,
    replay text not null,
    mode text not null,
    routes text not null       -- JSON list of [method, prefix]
);

create table if not exists keys (
    kind text not null check (kind in ('ca', 'token')),
    number integer not null,
    kid text not null,
    certificate blob,          -- DER, for an authority of certificates
    created_s integer not null,
    activated_s integer,
    ends_s integer not null,   -- it signs nothing that is valid after this
    signed_until_s integer not null,   -- when the last of what it signed ends
    tainted integer not null,
    primary key (kind, number)
);

create table if not exists join_secrets (
    sha256 text primary key,
    workload text not null,
    expires_s integer not null,
    used_s integer
);

create table if not exists denied (
    kind text not null check (kind in ('deployment', 'token', 'serial', 'epoch')),
    value text not null,
    until_s integer not null,
    epoch integer not null,
    primary key (kind, value)
);

create table if not exists issued (
    number integer primary key,
    entry text not null,       -- JSON, see log.py
    sha256 text not null       -- over the hash of the entry before and this one
);
