-- Graph nodes: services as a node graph draws them (Grafana's node graph panel, by the Infinity data source).
-- parameters: since, until, environment
-- reads: hops
-- source: grafana, panels-visualizations/visualizations/node-graph: id, title, mainstat, arc__*
with sides as (
    select
        coalesce(caller, '(external)') as id,
        caller_env as environment,
        0 as served,
        false as error,
        false as denied,
        null::ubigint as duration_nano
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
    union all
    select
        coalesce(callee, server_host, '(unseen)'),
        callee_env,
        1,
        error,
        verdict = 'denied' or outcome = 'refused',
        duration_nano
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
)
select
    id,
    id as title,
    coalesce(any_value(environment), '') as subtitle,
    sum(served)::bigint as mainstat,
    ms(quantile_cont(duration_nano, 0.95)) as secondarystat,
    case when sum(served) = 0 then 1 else 1 - (count(*) filter (error or denied)) / sum(served) end as arc__passed,
    case when sum(served) = 0 then 0 else (count(*) filter (error and not denied)) / sum(served) end as arc__failed,
    case when sum(served) = 0 then 0 else (count(*) filter (denied)) / sum(served) end as arc__denied
from sides
group by id
order by mainstat desc, id
