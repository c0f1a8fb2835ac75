-- Store: the judged calls of the touched traces as hops.
-- reads: facts, paths, nodes
insert into hops by name
select
    f.trace_id,
    f.anchor_span_id,
    f.answered,
    coalesce(f.orphan, false) as orphan,
    p.parent_trace_id,
    p.parent_anchor_span_id,
    p.chain_trace_id,
    p.depth,
    p.leaf,
    p.path,
    p.chain_verdict,
    p.chain_road,
    p.chain_error,
    p.chain_duration_nano,
    f.scope,
    f.caller_scope,
    f.caller,
    f.caller_env,
    f.callee,
    f.callee_env,
    f.caller_deployment,
    f.callee_deployment,
    f.kind,
    f.binding,
    f.claimed_caller,
    f.claimed_callee,
    f.verified_identity as verified_caller,
    f.peer_identity as peer_caller,
    f.server_host,
    f.url_path,
    f.http_method,
    f.http_status,
    f.road,
    case when f.road = 'public' then coalesce(f.public_confidence, 'suspected') end as confidence,
    f.protection,
    p.verdict,
    case
        when f.authz_decision = 'deny' then 'refused'
        when f.authz_decision = 'allow' then 'passed'
        when f.http_status is null or f.http_status in (401, 403) then 'unknown'
        else 'passed'
    end as outcome,
    p.reason,
    f.grade,
    f.pairing,
    f.grant_file,
    f.grant_line,
    f.granted_road as grant_road,
    f.start_time_unix_nano,
    f.duration_nano,
    f.error,
    p.error_origin,
    f.attempts,
    f.skew_nano,
    f.network_nano,
    p.corrected_start_unix_nano,
    p.critical,
    p.critical_nano,
    f.marks
    || case when f.skew_nano <> 0 then ['clock-skew'] else [] end
    || case when f.claims_outside then ['claim-from-outside'] else [] end as marks,
    coalesce(own.ids[f.caller_span_id], f.caller_span_id) as caller_span_id,
    case when f.answered then coalesce(own.ids[f.app_span_id], f.app_span_id) end as callee_span_id,
    f.via,
    case
        when own.ids is null then f.evidence
        else first_of_each(list_transform(f.evidence, lambda span: coalesce(own.ids[span], span)))
    end as evidence
from facts as f
join paths as p using (trace_id, anchor_span_id, answered)
left join (
    -- nodes that share a span id are named apart; outside they have the id that their span had
    select trace_id, map_from_entries(list((span_id, own_span_id))) as ids
    from nodes
    where shared
    group by trace_id
) as own on own.trace_id = f.trace_id
