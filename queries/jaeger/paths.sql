-- Paths: whole chains through a service, with the operation at each step, of an example of each.
-- parameters: since, until, service, operation (null: any), most
-- reads: hops, spans
-- why: the deep dependency graph shows paths and not edges; jaeger-ui draws it, and no backend had the data.
with recursive wanted as (
    select path, arg_max({'trace': trace_id, 'anchor': anchor_span_id, 'answered': answered}, start_time_unix_nano) as example
    from hops
    where
        leaf
        and start_time_unix_nano >= $since
        and start_time_unix_nano < $until
        and list_contains(path, $service)
    group by path
    order by count(*) desc
    limit $most
),
steps as (
    select w.path, w.example.trace as example_trace_id, 0 as up, h.*
    from wanted as w
    join (select * exclude (path) from hops) as h
        on h.trace_id = w.example.trace
        and h.anchor_span_id = w.example.anchor
        and h.answered = w.example.answered
    union all
    select s.path, s.example_trace_id, s.up + 1, h.*
    from steps as s
    join (select * exclude (path) from hops) as h
        on h.trace_id = s.parent_trace_id and h.anchor_span_id = s.parent_anchor_span_id and h.answered
    where s.up < 1024
),
named as (
    select
        s.path,
        s.example_trace_id,
        s.up,
        s.caller,
        coalesce(s.callee, s.server_host, '(unseen)') as callee,
        callee_span.name as operation,
        caller_span.name as caller_operation
    from steps as s
    left join spans as callee_span on callee_span.trace_id = s.trace_id and callee_span.span_id = s.callee_span_id
    left join spans as caller_span on caller_span.trace_id = s.trace_id and caller_span.span_id = s.caller_span_id
),
whole as (
    select
        path,
        trace_hex(any_value(example_trace_id)) as trace_id,
        arg_max(caller, up) as entry,
        arg_max(caller_operation, up) as entry_operation,
        list({'service': callee, 'operation': coalesce(operation, caller_operation, '')} order by up desc) as steps
    from named
    group by path
)
select
    case
        when entry is null then steps
        else list_prepend({'service': entry, 'operation': coalesce(entry_operation, '')}, steps)
    end as path,
    trace_id
from whole
where
    $operation::varchar is null
    or list_contains(list_transform(steps, lambda step: step.operation), $operation)
order by len(path) desc, trace_id
