-- Enforcement gap: calls reached a guarded service without its verdict, or its guard does not stand first.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops, spans
-- quiet: 30 s
-- concerns: answered and coalesce(guarded_at in ('inner', 'unknown'), true)
-- needs: guarded_at is not null
-- message: {what}.
-- why: what a request meets before the guard is not protected by it.
-- fix: {instead}.
-- remedy: put the guard outermost, and close the port or mounted application that goes round it.
-- check: bindtrace findings --rule enforcement-gap --callee {callee} --since 10m
-- may be wrong when: these paths are exempt on purpose, or a proxy that judges them lost its spans.
with guards as (
    select
        callee,
        callee_env,
        callee_deployment,
        min(start_time_unix_nano) as since_unix_nano,
        max(start_time_unix_nano) as until_unix_nano,
        count(*) as judged,
        max({'at': start_time_unix_nano, 'trace_id': trace_id, 'span_id': anchor_span_id}) as example,
        bool_or(outcome = 'refused') as refuses
    from hops
    where guarded_at is not null
    group by callee, callee_env, callee_deployment
),
modes as (
    -- by the last call: what its guard was told to do
    select g.callee, g.callee_env, g.callee_deployment, bool_or(s.authz_mode = 'enforce') as enforces
    from guards as g
    join spans as s on s.trace_id = g.example.trace_id
    where s.authz_mode is not null
    group by g.callee, g.callee_env, g.callee_deployment
),
gaps as (
    select
        h.trace_id,
        h.anchor_span_id,
        h.answered,
        h.callee,
        h.callee_env,
        h.callee_deployment,
        h.url_path,
        h.guarded_at as position,
        list_contains(h.marks, 'headers-mutated') as mutated,
        g.judged,
        g.refuses
    from hops as h
    join guards as g
        on g.callee = h.callee
        and g.callee_env is not distinct from h.callee_env
        and g.callee_deployment is not distinct from h.callee_deployment
    where
        h.answered
        and h.kind = 'call'
        and not list_contains(h.marks, 'probe')
        -- who asks for health without any trace is a checker (guards call these paths exempt)
        and not (h.caller is null and coalesce(h.url_path in ('/livez', '/readyz', '/healthz'), false))
        and (
            h.guarded_at in ('inner', 'unknown')
            -- before its first verdict there may have been no guard
            or (h.guarded_at is null and h.start_time_unix_nano between g.since_unix_nano and g.until_unix_nano)
        )
),
shares as (
    select *, count(*) over (partition by callee, callee_env, callee_deployment, position) as calls from gaps
)
select
    s.trace_id,
    s.anchor_span_id,
    s.answered,
    case when s.refuses or m.enforces then 'high' end as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'what', case
            when s.position is null
            then format('{} calls reached {} without a verdict (as {}), beside {} that have one', s.calls, s.callee,
                coalesce(s.url_path, 'a path that no span names'), s.judged)
            when s.position = 'inner'
            then format('the guard of {} stands behind other middleware (position inner{})', s.callee,
                case when s.mutated then ', headers_mutated: it changed headers before' else '' end)
            else format('nothing says what ran before the guard of {} (position unknown)', s.callee)
        end,
        'instead', case
            when s.position is null
            then format('close the port or the mounted application of {} that goes round the guard', s.callee)
            when s.position = 'inner' then 'put the guard outermost'
            else 'serve it with serve_guarded, or with http=BoundaryProtocol'
        end
    ) as evidence
from shares as s
left join modes as m
    on m.callee = s.callee
    and m.callee_env is not distinct from s.callee_env
    and m.callee_deployment is not distinct from s.callee_deployment
