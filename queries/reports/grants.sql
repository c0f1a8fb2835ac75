-- Grants: what the manifests allow, by which line, and whether it is used.
-- parameters: since, until, environment
-- reads: grants, hops
with used as (
    select caller, callee, count(*) as calls, max(start_time_unix_nano) as last_used
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
    group by caller, callee
)
select
    g.caller,
    g.callee,
    g.binding,
    g.platform,
    nullif(g.scope, '') as scope,
    g.environment,
    g.revision,
    g.file,
    g.line,
    coalesce(used.calls, 0) as calls,
    used.last_used::varchar as last_used
from grants as g
left join used using (caller, callee)
order by g.file, g.line
