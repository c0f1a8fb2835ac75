-- Declared: what the manifests say of each pair of services that was seen, once per pair and policy, not per call.
-- reads: pairs, spoken_of, judged_by, service_revisions, grant_revisions, default_revisions
create or replace temp table declared as
with policed as (
    -- the services of which a manifest says who may call them; a bare host list is no policy
    select j.period, j.deployment, m.scope, m.service
    from service_revisions as m
    join judged_by as j using (revision)
    where m.platform <> 'bindtrace'
    union
    select j.period, j.deployment, m.scope, unnest([m.caller, m.callee])
    from grant_revisions as m
    join judged_by as j using (revision)
    where not m.ruled
),
otherwise as (
    -- what a platform does with the calls that no grant speaks of
    select p.pair, arg_min(m.file, m.line) as file, min(m.line) as line, bool_or(m.action = 'allow') as allowed
    from pairs as p
    join judged_by as j on j.period = p.period and j.deployment = p.policy_deployment
    join default_revisions as m
        on m.revision = j.revision
        and m.action in ('allow', 'deny')
        and (m.service = p.callee_service or (m.service is null and m.scope <> ''))
        and (m.scope = '' or m.scope in (p.scope, p.caller_scope))
    group by p.pair
),
granted as (
    select
        pair,
        arg_min(binding, line) as binding,
        arg_min(file, line) as file,
        min(line) as line,
        arg_min(road, line) as road
    from spoken_of
    where for_all
    group by pair
)
select
    p.pair,
    p.shapes,
    g.binding as granted_binding,
    coalesce(g.file, case when o.allowed and s.pair is null then o.file end) as grant_file,
    coalesce(g.line, case when o.allowed and s.pair is null then o.line end) as grant_line,
    g.road as granted_road,
    o.pair is not null or exists (
        select 1
        from policed as m
        where
            m.service in (p.caller, p.callee_service)
            and m.period = p.period
            and m.deployment = p.policy_deployment
            and (m.scope = '' or m.scope in (coalesce(p.scope, m.scope), coalesce(p.caller_scope, m.scope)))
    ) as policed
from pairs as p
left join granted as g using (pair)
left join otherwise as o using (pair)
left join (select distinct pair from spoken_of) as s using (pair)
