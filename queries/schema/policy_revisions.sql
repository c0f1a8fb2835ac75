-- Policy revisions: ordered rules of meshes and proxies, and what they name, in every revision that was read.
-- why: their conditions are trees, which Python evaluates once per distinct call (propagation/policies.py).
create table if not exists policy_revisions (
    revision varchar not null,
    kind varchar not null,  -- policy, definition, workload
    content varchar not null,  -- JSON
    asks varchar[] not null  -- the fields of a call that it asks for
);
