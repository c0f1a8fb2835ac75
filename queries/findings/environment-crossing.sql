-- Environment crossing: a service of one environment called a service of another.
-- severity: medium
-- category: isolation
-- status: preview, since 0.1
-- reads: hops, services
-- concerns: caller_env <> callee_env
-- message: {caller} of {from_env} called {callee} of {to_env}.
-- why: what is tried out in one environment must not reach the data of another.
-- fix: give {caller} a binding to {callee} of {from_env}; if {callee} is shared, list {from_env} in its `environments` in bindtrace.toml.
-- remedy: give the caller a binding to the callee of its own environment; if the callee is shared, list that environment in its `environments` in bindtrace.toml.
-- check: bindtrace findings --rule environment-crossing --caller {caller} --callee {callee} --since 10m
-- may be wrong when: the two names mean one environment, or the callee is shared and does not say so.
with spelled as (
    select * from (values ('prod', 'production'), ('stage', 'staging'), ('dev', 'development')) as s (short, name)
),
crossing as (
    select
        h.*,
        coalesce(one.name, lower(h.caller_env)) as from_env,
        coalesce(other.name, lower(h.callee_env)) as to_env
    from hops as h
    left join spelled as one on one.short = lower(h.caller_env)
    left join spelled as other on other.short = lower(h.callee_env)
    where h.caller_env <> h.callee_env and h.caller is not null and h.kind in ('call', 'message')
),
shared as (
    select service, unnest(environments) as environment from services
)
select
    c.trace_id,
    c.anchor_span_id,
    c.answered,
    case when c.grade in ('proven', 'verified', 'contradicted') then 'high' end as severity,
    c.grant_file as file,
    c.grant_line as line,
    json_object('from_env', c.caller_env, 'to_env', c.callee_env) as evidence
from crossing as c
where
    c.from_env <> c.to_env
    and not exists (
        select 1 from shared as s where s.service = c.callee and lower(s.environment) in (lower(c.caller_env), c.from_env)
    )
