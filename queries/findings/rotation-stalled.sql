-- Rotation stalled: a caller shows credentials that should have been renewed long ago.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops, spans
-- concerns: list_has_any(marks, ['credential-old', 'credential-ending'])
-- message: {caller} has shown credentials past two thirds of their life since {since}, the last with {remaining} s left of {life} s.
-- why: credentials are renewed at a half of their life; when these end, every call of {caller} is refused.
-- fix: look whether {caller} can reach the authority (its log says event=refresh_failed or event=renewal_refused, with why).
-- check: bindtrace report credentials
-- may be wrong when: it is a job that ends before its credentials do.
-- source: findings.md F11
with late as (
    select
        h.trace_id,
        h.anchor_span_id,
        h.answered,
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
        'since', strftime(make_timestamp_ns(t.since_unix_nano::bigint), '%Y-%m-%d %H:%M:%S UTC'),
        'remaining', t.remaining_s,
        'life', t.life_s
    ) as evidence
from late as l
join stalled as t on t.who is not distinct from l.who
