-- Store: the judged calls of the touched traces as hops.
-- reads: parents, paths, judged, facts, attempts, evidence, touched, nodes, oddities
insert into hops by name
select
    c.trace_id,
    c.anchor_span_id,
    c.answered,
    coalesce(c.orphan, false) as orphan,
    c.parent_trace_id,
    c.parent_anchor_span_id,
    c.chain_trace_id,
    c.depth,
    c.leaf,
    c.path,
    case when c.leaf then chain_key(f.scope, f.callee_env, c.path) end as chain_key,
    c.chain_verdict,
    c.chain_road,
    c.chain_grade,
    c.chain_error,
    c.chain_duration_nano,
    f.scope,
    f.caller_scope,
    f.caller,
    f.caller_env,
    f.callee,
    f.callee_env,
    j.edge,
    f.caller_deployment,
    f.callee_deployment,
    f.kind,
    f.binding,
    f.claimed_caller,
    f.claimed_callee,
    f.verified_identity as verified_caller,
    f.peer_identity as peer_caller,
    f.server_host,
    c.url_path,
    c.http_method,
    c.http_status,
    f.road,
    case when f.road = 'public' then coalesce(f.public_confidence, 'suspected') end as confidence,
    f.protection,
    j.verdict,
    case
        when f.authz_decision = 'deny' then 'refused'
        when f.authz_decision = 'allow' then 'passed'
        when c.http_status is null or c.http_status in (401, 403) then 'unknown'
        else 'passed'
    end as outcome,
    j.reason,
    f.assurance,
    f.guarded_at,
    f.grade,
    f.pairing,
    f.grant_file,
    f.grant_line,
    f.granted_road as grant_road,
    c.start_time_unix_nano,
    c.duration_nano,
    c.error,
    c.error and not c.failed_below as error_origin,
    c.attempts,
    c.skew_nano,
    c.network_nano,
    c.corrected_start_unix_nano,
    c.critical,
    c.critical_nano,
    f.marks
    || case when c.skew_nano <> 0 then ['clock-skew'] else [] end
    || case when f.claims_outside then ['claim-from-outside'] else [] end as marks,
    coalesce(c.ids[c.caller_span_id], c.caller_span_id) as caller_span_id,
    coalesce(c.ids[c.callee_span_id], c.callee_span_id) as callee_span_id,
    f.via,
    case
        when c.ids is not null
        then first_of_each(
            list_transform(
                coalesce(c.tries, c.spans, spans_of(c.answered, c.caller_span_id, c.anchor_span_id)),
                lambda span: coalesce(c.ids[span], span)
            )
        )
        when c.tried then first_of_each(c.tries)
        when c.spans is not null then c.spans
        else spans_of(c.answered, c.caller_span_id, c.anchor_span_id)
    end as evidence,
    c.last_load_id as load_id
from (
    -- few columns pass most joins, and the many of a shape come last
    select
        c.*,
        p.* exclude (call, chain_trace),
        t.trace_id,
        t.last_load_id,
        chain_trace.trace_id as chain_trace_id,
        up.anchor_span_id as parent_anchor_span_id,
        up_trace.trace_id as parent_trace_id,
        tried.call is not null as tried,
        tried.evidence as tries,
        e.spans,
        own.ids
    from parents as c
    join paths as p using (call)
    join touched as t on t.trace = c.trace
    join touched as chain_trace on chain_trace.trace = p.chain_trace
    left join parents as up on up.call = c.parent
    left join touched as up_trace on up_trace.trace = up.trace
    left join attempts as tried on tried.call = c.call
    left join evidence as e on e.call = c.call
    left join (
        -- nodes that share a span id are named apart; outside they have the id that their span had
        select n.trace, map_from_entries(list((n.span_id, o.own_span_id))) as ids
        from oddities as o
        join nodes as n using (node)
        where o.shared
        group by n.trace
    ) as own on own.trace = c.trace
) as c
join judged as j on j.shape = c.shape
join facts as f on f.shape = c.shape
