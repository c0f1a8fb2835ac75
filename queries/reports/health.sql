-- Health: per service, what a newcomer must know first: binding headers, missing parents, clocks, silence.
-- parameters: since, until
-- reads: spans, resources, service_matches, hops
-- why: `bindtrace doctor` asks it; the window is that of receipt, because a wrong clock must not hide a span.
with named as (
    select
        r.resource_id,
        coalesce(any_value(m.service), any_value(r.service), 'unknown_service') as service
    from resources as r
    left join service_matches as m on json_extract_string(r.attributes, json_pointer(m.attribute)) = m.value
    group by r.resource_id
),
seen as (
    select
        n.service,
        count(*) as spans,
        count(*) filter (
            s.claimed_caller is not null or s.binding_name is not null or s.claimed_chain is not null
        ) as with_binding,
        quantile_cont((s.received_unix_nano::double - s.end_time_unix_nano::double) / 1e9, 0.5) as lag_s,
        max(s.received_unix_nano) as last_received
    from spans as s
    join named as n using (resource_id)
    where s.received_unix_nano >= $since and s.received_unix_nano < $until
    group by n.service
),
entered as (
    select callee as service, count(*) as hops, count(*) filter (orphan) as orphans
    from hops
    where callee is not null
    group by callee
)
select
    service,
    spans,
    with_binding,
    coalesce(hops, 0)::bigint as hops,
    coalesce(orphans, 0)::bigint as orphans,
    round(lag_s, 3) as lag_s,
    last_received::varchar as last_received
from seen
left join entered using (service)
order by spans desc, service
