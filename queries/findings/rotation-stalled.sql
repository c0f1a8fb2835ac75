-- Rotation stalled: credentials that should have been renewed long ago are shown, or a guard's trust is no longer refreshed.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops, spans
-- concerns: list_has_any(marks, ['credential-old', 'credential-ending', 'trust-late'])
-- message: {what}.
-- why: credentials are renewed at half of their life, and trust every minute; without that, callers are soon refused, or accepted for too long.
-- fix: look whether {who} can reach the authority (its log says event=refresh_failed or event=renewal_refused, with why).
-- remedy: look whether the workload can reach the authority (its log says event=refresh_failed or event=renewal_refused, with why).
-- check: bindtrace report credentials
-- may be wrong when: it is a job that ends before its credentials do.
with late as (
    select
        h.trace_id,
        h.anchor_span_id,
        h.answered,
        h.caller,
        coalesce(h.verified_caller, h.caller) as who,
        h.start_time_unix_nano,
        s.credential_remaining_s as remaining_s,
        s.credential_age_s + s.credential_remaining_s as life_s,
        list_contains(h.marks, 'credential-ending') as ending
    from hops as h
    join spans as s on s.trace_id = h.trace_id and list_contains(h.evidence, s.span_id)
    where list_has_any(h.marks, ['credential-old', 'credential-ending']) and s.credential_age_s is not null
),
stalled as (
    select
        who,
        min(start_time_unix_nano) as since_unix_nano,
        arg_max(remaining_s, start_time_unix_nano) as remaining_s,
        arg_max(life_s, start_time_unix_nano) as life_s,
        bool_or(ending) as ending
    from late
    group by who
    having count(distinct (trace_id, anchor_span_id)) >= 3
)
select distinct
    l.trace_id,
    l.anchor_span_id,
    l.answered,
    case when t.ending then 'high' end as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'what', format(
            '{} has shown credentials past two thirds of their life since {}, the last with {} s left of {} s',
            coalesce(l.caller, 'a caller'), strftime(make_timestamp_ns(t.since_unix_nano::bigint), '%Y-%m-%d %H:%M:%S UTC'),
            t.remaining_s, t.life_s
        ),
        'who', coalesce(l.caller, 'the caller')
    ) as evidence
from late as l
join stalled as t on t.who is not distinct from l.who
union all
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'what', format(
            'the guard of {} has judged by trust that it has not refreshed since before {}',
            h.callee, strftime(
                make_timestamp_ns((min(h.start_time_unix_nano) over (partition by h.callee, h.callee_env))::bigint),
                '%Y-%m-%d %H:%M:%S UTC'
            )
        ),
        'who', h.callee
    ) as evidence
from hops as h
where list_contains(h.marks, 'trust-late')
    -- what is told of the caller's credentials already is not told twice
    and (h.trace_id, h.anchor_span_id) not in (
        select (l.trace_id, l.anchor_span_id) from late as l join stalled as t on t.who is not distinct from l.who
    )
