-- Undeclared call: one service calls another, and no manifest declares it.
-- severity: medium
-- category: authorization
-- status: stable, since 0.1
-- reads: hops, services
-- concerns: verdict = 'denied'
-- message: {caller} called {callee} at {host}, and {said}.
-- why: a call that nobody declared is reach that nobody reviewed; whoever changes the callee next does not know of it.
-- fix: declare {what} to {callee} under {caller} in {manifest}, or remove the call to {host}.
-- remedy: declare a binding to the callee in the caller's manifest, or remove the call.
-- check: bindtrace hops --caller {caller} --callee {callee} --verdict denied --since 10m
-- may be wrong when: the call is a health check or a log shipper (declare it as a probe), or the manifest that declares it was not given.
with denied as (
    select
        h.*,
        count(distinct trace_id) over (partition by caller, callee) as traces,
        max(start_time_unix_nano) over (partition by caller, callee)
        - min(start_time_unix_nano) over (partition by caller, callee) as lasting
    from hops as h
    where
        h.verdict = 'denied'
        and h.reason in ('undeclared', 'forbidden', 'route_not_allowed')
        and h.caller is not null
        -- what the callee's own guard found is unauthorized-call
        and not (h.reason = 'route_not_allowed' and h.verified_caller is not null and h.grant_line is null)
        and not list_has_any(h.marks, ['caller-outside', 'probe'])
),
declared as (
    select
        service,
        arg_min(file, platform = 'bindtrace') as file,
        arg_min(line, platform = 'bindtrace') as line,
        bool_or(sensitive) as sensitive
    from services
    group by service
)
select
    d.trace_id,
    d.anchor_span_id,
    d.answered,
    case when callee.sensitive then 'high' end as severity,
    coalesce(d.grant_file, s.file) as file,
    coalesce(d.grant_line, s.line) as line,
    json_object(
        'host', coalesce(d.server_host, d.callee),
        'manifest', coalesce(d.grant_file, s.file, 'its manifest'),
        'what', case
            when d.reason = 'route_not_allowed' then coalesce(d.http_method || ' ', '') || coalesce(d.url_path, '/')
            else 'a binding'
        end,
        'said', case d.reason
            when 'forbidden' then 'a policy forbids it'
            when 'route_not_allowed' then 'no grant is for ' || coalesce(d.http_method || ' ', '') || coalesce(d.url_path, '/')
            else 'no manifest declares that ' || d.caller || ' may'
        end
    ) as evidence
from denied as d
left join declared as s on s.service = d.caller
left join declared as callee on callee.service = d.callee
-- what is only inferred must have lasted: 20 traces over 2 days
where d.grade <> 'inferred' or (d.traces >= 20 and d.lasting >= 172800e9)
