-- Unused grant: a manifest lets one service call another, and it never did.
-- severity: low
-- category: policy
-- status: preview, since 0.1
-- kind: subjects
-- quiet: 30 s
-- reads: hops, grants, manifests, spans
-- message: {caller} may call {callee}{binding}, and in {days} days made {calls} other calls and none to it; {coverage}.
-- why: reach that nobody uses serves only an intruder.
-- fix: remove the grant at {file}:{line}, or say how rarely it is used (`used_within_days` of a grant in bindtrace.toml).
-- remedy: remove the grant, or say how rarely it is used (`used_within_days` of a grant in bindtrace.toml).
-- check: bindtrace findings --rule unused-grant --caller {caller} --callee {callee}
-- may be wrong when: the job that uses it is seasonal, or the calls leave no spans.
with since_when as (
    select revision, min(in_force_from_unix_nano) as in_force from manifests group by revision
),
callers as (
    select
        caller,
        count(*) as calls,
        min(start_time_unix_nano) as first_seen,
        max(start_time_unix_nano) as last_seen,
        arg_max(trace_id, start_time_unix_nano) as latest,
        -- one of these may be the callee by a name that nobody knows
        bool_or(kind = 'external' and road in ('private', 'unknown')) as calls_unknown,
        list(distinct callee) as callees,
        list(distinct binding) filter (binding is not null) as bindings
    from hops
    where caller in (select caller from grants)
    group by caller
),
unused as (
    select
        g.*,
        c.* exclude (caller),
        (c.last_seen - greatest(c.first_seen, w.in_force)::hugeint) / 86400e9 as days
    from grants as g
    join since_when as w using (revision)
    join callers as c on c.caller = g.caller
    where
        g.action = 'allow'
        and g.traced
        and g.callee <> '*'
        and not c.calls_unknown
        and c.calls >= 50
        and not list_contains(c.callees, g.callee)
        and not coalesce(list_contains(c.bindings, g.binding), false)
        and c.last_seen > greatest(c.first_seen, w.in_force)
        and days >= coalesce(g.used_within_days, 14)
),
sampled as (
    select trace_id, any_value(sampling_share(trace_state)) as share
    from spans
    semi join (select distinct latest from unused) as u on u.latest = spans.trace_id
    where trace_state is not null
    group by trace_id
)
select
    u.caller,
    u.callee,
    -- nothing is concluded from silence where nobody knows how much was kept
    case when s.share is null then 'info' end as severity,
    sure_by_share(s.share) as confidence,
    u.calls as "count",
    u.first_seen,
    u.last_seen,
    u.file,
    u.line,
    json_object(
        'binding', case when u.binding is not null then ' by ' || u.binding else '' end,
        'days', floor(u.days)::integer,
        'calls', u.calls,
        'file', u.file,
        'line', u.line,
        'coverage', share_in_words(s.share, 'calls')
    ) as evidence
from unused as u
left join sampled as s on s.trace_id = u.latest
