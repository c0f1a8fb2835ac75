-- Confused deputy: a sensitive service was called on behalf of a visitor whom nothing in the chain identifies.
-- severity: info
-- category: authorization
-- status: preview, since 0.1
-- reads: hops, services, spans
-- concerns: callee in (select service from services where sensitive)
-- message: {caller} called {callee}, which is sensitive, on behalf of a visitor who came in at {entry} and whom nothing identifies{others}.
-- why: a service that may do more than its caller can be led to do it for somebody who may not.
-- fix: let {callee} ask {caller} for a token of the end user or the transaction, or narrow the grant of {caller} to routes that anybody may ask for.
-- check: bindtrace findings --rule confused-deputy --caller {caller} --callee {callee} --since 10m
-- may be wrong when: the route is open to everybody and only reads, or spans leave out the user on purpose.
with sensitive as (
    select distinct service from services where sensitive
),
visited as (
    select
        h.trace_id, h.anchor_span_id, h.answered, h.caller, h.callee, h.grant_file, h.grant_line,
        r.callee as entry, r.trace_id as entry_trace_id, r.anchor_span_id as entry_span_id, r.callee_span_id
    from hops as h
    join sensitive as s on s.service = h.callee
    join hops as r
        on r.trace_id = h.chain_trace_id and r.depth = 0 and r.caller is null and r.road = 'public' and r.callee = h.path[1]
    where h.caller is not null
),
users as (
    select s.trace_id
    from spans as s
    semi join (select distinct entry_trace_id from visited) as v on v.entry_trace_id = s.trace_id
    group by s.trace_id
    -- as a `where` it would be asked of every span that is stored, before the join
    having bool_or(regexp_matches(s.attributes, '"(enduser\.(id|pseudo\.id)|user\.(id|hash)|bindtrace\.txn\.sha256)":'))
),
known as (
    select v.*, u.trace_id is not null as has_user, bool_or(u.trace_id is not null) over (partition by v.callee) as others_have
    from visited as v
    left join users as u on u.trace_id = v.entry_trace_id
)
select
    trace_id,
    anchor_span_id,
    answered,
    -- where other chains do say who it is, silence means something
    case when others_have then 'medium' end as severity,
    grant_file as file,
    grant_line as line,
    json_object('entry', entry, 'others', case when others_have then '; other chains to ' || callee || ' say it' else '' end)
        as evidence
from known
where not has_user
