-- Witnessed: every call with its times, its failure, its clocks and its evidence, each from the span that knows best.
-- reads: calls, nodes, proxied, beside
-- source: jaeger, adjuster/clockskew.go: a callee's span that does not fit into its caller's tells how far the two
--         clocks differ; the way there and back is taken to be equally long.
create or replace temp table witnessed as
with seen as (
    select
        c.* exclude (other_client, last_client, last_proxy, edge_spans, evidence, own_side, only_calls),
        c.only_calls,
        client.trait as client_trait,
        case when c.app_node is null then c.entry_trait else other.trait end as app_trait,
        target.trait as target_trait,
        edge.trait as edge_trait,
        coalesce(entry.shared or other.shared or target.shared, false) as shared,
        coalesce(entry.conflict or other.conflict or client.conflict, false) as conflict,
        coalesce(entry.cycle or target.cycle, false) as cycle,
        client.parent as client_parent,
        coalesce(entry.span_id, target.span_id) as anchor_span_id,
        client.own_span_id as caller_span_id,
        case when c.app_node is null then entry.own_span_id else other.own_span_id end as app_span_id,
        client.proof_sha256 = coalesce(other.proof_sha256, entry.proof_sha256) as proof_agrees,
        coalesce(edge.url_path, client.url_path) as outer_path,
        case when c.app_node is null then entry.url_path else other.url_path end as app_path,
        client.host as client_host,
        client.start_time_unix_nano as client_start,
        client.duration_nano as client_nano,
        case when c.app_node is null then entry.host else other.host end as app_host,
        case when c.app_node is null then entry.kind else other.kind end as app_kind,
        case when c.app_node is null then entry.start_time_unix_nano else other.start_time_unix_nano end as app_start,
        case when c.app_node is null then entry.duration_nano else other.duration_nano end as app_nano,
        case when c.app_node is null then entry.error else other.error end as app_error,
        coalesce(client.error, false) or coalesce(target.error, false) as other_error,
        coalesce(entry.start_time_unix_nano, target.start_time_unix_nano) as other_start,
        coalesce(target.duration_nano, entry.duration_nano) as other_nano,
        case
            when c.evidence is null and c.other_client is null and led.node is null and c.edge_spans is null and b.node is null
                and c.app_node is null and entry.node is not null
            then case when c.last_client is null then [entry.own_span_id] else [client.own_span_id, entry.own_span_id] end
            else
                coalesce(c.evidence, [])
                || case when first.node is not null then [first.own_span_id] else [] end
                || case when c.last_client is not null then [client.own_span_id] else [] end
                || coalesce(led.spans, [])
                || coalesce(c.edge_spans, [])
                || case when entry.node is not null then [entry.own_span_id] else [] end
                || coalesce(b.spans, [])
                || case when other.node is not null then [other.own_span_id] else [] end
        end as evidence
    from calls as c
    left join nodes as client on client.node = c.caller_node
    left join nodes as entry on entry.node = c.entry_node
    left join nodes as other on other.node = c.app_node
    left join nodes as target on target.node = c.target_node
    left join nodes as edge on edge.node = c.edge_node
    left join nodes as first on first.node = c.other_client
    left join proxied as led on led.node = c.last_proxy
    left join beside as b on b.node = c.entry_node and b.answered
),
told as (
    -- a callee of which only its own next call was seen has no span of its own
    select
        * exclude (app_trait, app_span_id, app_path, app_host, app_kind, app_start, app_nano, app_error),
        case when not only_calls then app_trait end as app_trait,
        case when not only_calls then app_span_id end as app_span_id,
        case when not only_calls then app_path end as app_path,
        case when not only_calls then app_start end as app_start,
        case when not only_calls then app_nano end as app_nano,
        not only_calls and app_error as app_error,
        app_host,
        app_kind
    from seen
)
select
    * exclude (
        only_calls, outer_path, app_path, client_host, client_start, client_nano, app_host, app_kind, app_start,
        app_nano, app_error, other_error, other_start, other_nano
    ),
    coalesce(outer_path, app_path) as url_path,
    coalesce(client_start, other_start) as start_time_unix_nano,
    coalesce(client_nano, app_nano, other_nano) as duration_nano,
    coalesce(app_error, false) or other_error as error,
    case
        when client_nano is null or app_nano is null or client_host = app_host then 0
        when app_start >= client_start and app_start + app_nano <= client_start + client_nano then 0
        when app_kind in (4, 5) then 0
        when app_nano > client_nano then app_start::hugeint - client_start
        else app_start::hugeint - client_start - (client_nano - app_nano) // 2
    end as skew_nano,
    case when client_nano >= app_nano then client_nano - app_nano end as network_nano,
    -- more than the two sides' own spans: a sidecar, an edge, a second span of one side
    len(evidence) > (caller_span_id is not null)::integer + answered::integer as witnessed_more
from told
