-- Grants: what the manifests allowed in the window, by which line, and whether it is used; latest revision of each.
-- parameters: since, until, environment
-- reads: grant_revisions, manifests, hops
with used as (
    select caller, callee, count(*) as calls, max(start_time_unix_nano) as last_used
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
    group by caller, callee
),
revisions as (
    select revision, max((in_force_from_unix_nano, loaded_unix_nano)) as newest
    from manifests
    where
        in_force_from_unix_nano < $until
        and coalesce(in_force_until_unix_nano, 18446744073709551615) > $since
    group by revision
),
latest as (
    select g.*
    from grant_revisions as g
    join revisions as r using (revision)
    qualify
        rank() over (
            partition by g.platform, g.scope, g.environment, g.caller, g.callee, g.binding, g.file, g.action
            order by r.newest desc
        ) = 1
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
from latest as g
left join used using (caller, callee)
order by g.file, g.line
