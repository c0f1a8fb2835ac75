-- Graph edges: calls as a node graph draws them; what is denied or public has a colour and a dash of its own.
-- parameters: since, until, environment
-- reads: hops
-- source: grafana, panels-visualizations/visualizations/node-graph: id, source, target, color, strokeDasharray
with edges as (
    select
        coalesce(caller, '(external)') as source,
        coalesce(callee, server_host, '(unseen)') as target,
        road,
        count(*) as calls,
        count(*) filter (error) as errors,
        worst_of(['denied', 'unknown', 'allowed'], verdict) as verdict,
        worst_of(['contradicted', 'inferred', 'claimed', 'verified', 'proven'], grade) as grade,
        ms(quantile_cont(duration_nano, 0.95)) as p95_ms
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
    group by all
)
select
    source || ' → ' || target || ' (' || road || ')' as id,
    source,
    target,
    calls as mainstat,
    p95_ms as secondarystat,
    verdict as detail__verdict,
    road as detail__road,
    grade as detail__grade,
    errors as detail__errors,
    case
        when verdict = 'denied' or grade = 'contradicted' then '#d55e00'
        when road = 'public' and source <> '(external)' then '#b87900'
        when verdict = 'unknown' then '#767676'
        else '#0072b2'
    end as color,
    case when verdict = 'denied' or grade = 'contradicted' or (road = 'public' and source <> '(external)') then 3 else 1 end as thickness,
    case when verdict = 'denied' or grade = 'contradicted' then '8 4' when road = 'public' and source <> '(external)' then '2 4' end
        as "strokeDasharray"
from edges
order by calls desc, id
