-- Evidence: the spans that saw the calls which are not in order, whole, so that a statement can be checked by hand.
-- parameters: since, until, environment
-- reads: hops, spans, resources, identities
-- why: not in order is what was denied, left by a public road, or is contradicted; the latest come first.
with odd as (
    select
        trace_id,
        parent_trace_id,
        chain_trace_id,
        unnest(evidence) as span_id,
        list_filter(
            [
                case when verdict = 'denied' then 'denied' end,
                case when road = 'public' and caller is not null then 'public' end,
                case when grade = 'contradicted' then 'contradicted' end
            ],
            lambda word: word is not null
        ) as why
    from hops
    where
        start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and in_environment($environment, caller_env, callee_env)
        and (verdict = 'denied' or (road = 'public' and caller is not null) or grade = 'contradicted')
),
named as (
    select span_id, trace_id, flatten(list(why)) as why from odd group by span_id, trace_id
    union all
    -- the caller's side of a call that was joined from two traces
    select span_id, unnest([parent_trace_id, chain_trace_id]), why from odd
    where parent_trace_id <> trace_id or chain_trace_id <> trace_id
)
select distinct on (s.start_time_unix_nano, s.trace_id, s.span_id, s.resource_id)
    trace_hex(s.trace_id) as trace_id,
    span_hex(s.span_id) as span_id,
    span_hex(s.parent_span_id) as parent_span_id,
    n.service,
    n.environment,
    s.name,
    s.kind,
    s.start_time_unix_nano::varchar as start_time_unix_nano,
    s.end_time_unix_nano::varchar as end_time_unix_nano,
    s.status_code,
    s.attributes,
    r.attributes as resource_attributes,
    s.received_unix_nano::varchar as received_unix_nano,
    list_sort(list_distinct(named.why)) as why
from named
join spans as s using (trace_id, span_id)
join resources as r using (resource_id)
join identities as n using (resource_id)
order by s.start_time_unix_nano desc, s.trace_id, s.span_id, s.resource_id
