-- Coverage: per service, how much of its traffic could be seen and placed, so that silence is not taken for peace.
-- parameters: since, until, environment
-- reads: hops, spans, identities, senders, lives
with sides as (
    select
        callee as service,
        callee_env as environment,
        count(*) as hops,
        count(*) filter (caller_span_id is not null and callee_span_id is not null) as both_sides,
        count(*) filter (grade in ('verified', 'proven')) as verified,
        count(*) filter (road = 'unknown') as road_unknown
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and kind in ('call', 'message')
        and in_environment($environment, callee_env, callee_env)
    group by callee, callee_env
),
seen as (
    select
        coalesce(n.service, 'unknown_service') as service,
        n.environment,
        count(*) as spans,
        max(regexp_extract(s.trace_state, 'ot=[^,]*th:([0-9a-f]{1,14})', 1)) as threshold
    from spans as s
    join identities as n using (resource_id)
    where
        s.start_time_unix_nano >= $since
        and s.start_time_unix_nano < $until
        and in_environment($environment, n.environment, n.environment)
    group by all
),
lost as (
    select service, what, sum(spans)::bigint as number
    from senders
    where
        what in ('rejected', 'refused', 'quarantined')
        and last_seen_unix_nano >= $since
        and last_seen_unix_nano < $until
    group by service, what
),
down as (
    -- while the collector was down nobody was seen; lives are noted every minute
    select sum(least(until, $until) - greatest(since, $since))::hugeint // 1000000000 as number
    from (
        select alive_unix_nano as since, lead(started_unix_nano) over (order by started_unix_nano) as until from lives
    )
    where until - since > 120000000000 and until > $since and since < $until
),
gaps as (
    select service, map_from_entries(list((what, number) order by what)) as gaps
    from (
        select * from lost where number > 0
        union all
        select distinct seen.service, 'down_s' as what, down.number from seen, down where down.number > 0
    )
    group by service
)
select
    coalesce(seen.service, sides.service) as service,
    coalesce(seen.environment, sides.environment) as environment,
    coalesce(spans, 0) as spans,
    coalesce(hops, 0) as hops,
    coalesce(both_sides, 0) as both_sides,
    coalesce(verified, 0) as verified,
    coalesce(road_unknown, 0) as road_unknown,
    case when threshold <> '' then 'ot=th:' || threshold else 'unknown' end as sampling,
    gaps.gaps
from seen
full join sides
    on sides.service = seen.service
    and sides.environment is not distinct from seen.environment
left join gaps on gaps.service = coalesce(seen.service, sides.service)
order by 1, 2
