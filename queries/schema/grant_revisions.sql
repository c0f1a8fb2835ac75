-- Grant revisions: which caller a manifest lets call which callee, how, and by which line, in every revision that was read.
create table if not exists grant_revisions (
    revision varchar not null,
    platform varchar not null,
    scope varchar not null,  -- '': any
    environment varchar,  -- null: any
    caller varchar not null,  -- '*': whoever
    callee varchar not null,
    binding varchar,
    file varchar not null,
    line uinteger not null,
    action varchar not null,  -- allow, deny, audit
    kind varchar not null,  -- call, message
    road varchar not null,  -- binding, or public: declared to go by the callee's public name
    callee_scope varchar,  -- null: the caller's
    entrypoint varchar,
    methods varchar[] not null,  -- []: any
    paths varchar[] not null,  -- regular expressions over the whole path; []: any
    protection varchar,  -- the least that it must be protected by: tls, mtls
    used_within_days uinteger,
    traced boolean not null,  -- false: no trace shows its calls
    ruled boolean not null  -- a policy of a mesh says so, and judges by itself
);
