-- Internal headers at the edge: a request from outside carried credentials or binding headers, which the edge took off.
-- severity: low
-- category: identity
-- status: preview, since 0.1
-- reads: hops, spans
-- concerns: list_contains(marks, 'headers-stripped')
-- message: {who} sent {callee} what only our services send ({names}){verified}; the edge took it off. {meaning}
-- why: what only our services send has leaked, or somebody outside poses as one of them.
-- fix: {instead}.
-- remedy: let our services send these headers to their bindings alone, and take back a token that the outside has seen.
-- check: bindtrace findings --rule internal-headers-at-edge --callee {callee} --since 1h
-- may be wrong when: a CDN before the edge adds such a header itself, or a scanner of yours tries it.
with stripped as (
    select
        h.trace_id,
        h.anchor_span_id,
        h.answered,
        h.caller,
        network_of(s.client_address) as network,
        s.start_time_unix_nano // 3600000000000 as hour,
        regexp_replace(json_extract_string(s.attributes, '/bindtrace.edge.stripped'), '[\["\]]', '', 'g') as names,
        -- the subject of a token that came by the public door and is good
        json_extract_string(s.attributes, '/bindtrace.credential.exposed_on_public_path') as exposed
    from hops as h
    join spans as s on s.trace_id = h.trace_id and list_contains(h.evidence, s.span_id)
    where list_contains(h.marks, 'headers-stripped') and s.edge_stripped is not null and s.edge_stripped <> '-'
),
counted as (
    select *, count(*) over (partition by network, hour) as in_the_hour from stripped
)
-- an edge and the listener behind it may both have taken something off
select distinct on (trace_id, anchor_span_id, answered)
    trace_id,
    anchor_span_id,
    answered,
    case when exposed is not null then 'high' when in_the_hour >= 10 then 'medium' end as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'who', coalesce(caller, network, 'somebody'),
        'names', names,
        'verified', case when exposed is not null then format(', with a token of {} that is good', exposed) else '' end,
        'meaning', case
            when exposed is not null then 'A credential of ours travels where others can read it.'
            when caller is not null then 'It came from a service of ours, by the public road.'
            else 'Nobody outside has a reason to send it.'
        end,
        'instead', case
            when exposed is not null
            then format('call by the binding and not by the public address (rule public-route), and take the token back: {}', exposed)
            when caller is not null then format('let {} send these headers to its bindings alone', caller)
            else 'look who sends it; at the edge nothing else is to be done'
        end
    ) as evidence
from counted
order by trace_id, anchor_span_id, answered, exposed nulls last, in_the_hour desc, names
