-- Witnessed: every call with its times, its failure and its clocks, each from the span that knows best.
-- reads: calls, nodes, odd, evidence
-- source: jaeger, adjuster/clockskew.go: a callee's span that does not fit into its caller's tells how far the two
--         clocks differ; the way there and back is taken to be equally long.
create or replace temp table witnessed as
with rare as (
    -- of few calls more than the two sides is asked for
    select
        node, trait, kind, host, error, http_method, http_status, span_id, start_time_unix_nano, duration_nano, url_path,
        proof_sha256
    from nodes
    semi join (
        select unnest([app_node, edge_node, case when target_node is distinct from caller_node then target_node end])
            as node
        from calls
    ) using (node)
),
seen as (
    select
        c.call, c.trace, c.answered, c.caller_trace, c.caller_visit, c.caller_trait, c.caller_node, c.entry_trait,
        c.via, c.pairing, c.orphan, c.joined, c.twice_sent,
        client.parent as client_parent,
        client.trait as client_trait,
        client.host as client_host,
        client.span_id as caller_span_id,
        client.start_time_unix_nano as client_start,
        client.duration_nano as client_nano,
        edge.trait as edge_trait,
        case when c.far_node is null and c.target_node is not null then client.trait else far.trait end as target_trait,
        case
            when entry.node is not null then entry.span_id
            when c.far_node is null then client.span_id
            else far.span_id
        end as anchor_span_id,
        coalesce(app.trait, case when c.entry_serves then c.entry_trait end) as app_trait,
        coalesce(app.kind, case when c.entry_serves then entry.kind end) as app_kind,
        coalesce(app.host, case when c.entry_serves then entry.host end) as app_host,
        coalesce(app.span_id, case when c.entry_serves then entry.span_id end) as app_span_id,
        coalesce(app.start_time_unix_nano, case when c.entry_serves then entry.start_time_unix_nano end) as app_start,
        coalesce(app.duration_nano, case when c.entry_serves then entry.duration_nano end) as app_nano,
        coalesce(client.start_time_unix_nano, entry.start_time_unix_nano, far.start_time_unix_nano)
            as start_time_unix_nano,
        coalesce(far.duration_nano, entry.duration_nano) as other_nano,
        client.proof_sha256 = coalesce(app.proof_sha256, entry.proof_sha256) as proof_agrees,
        coalesce(client.error, false) or coalesce(app.error, c.entry_serves and entry.error, false)
            or coalesce(far.error, false) as error,
        coalesce(app.http_method, case when c.entry_serves then entry.http_method end, client.http_method)
            as http_method,
        coalesce(client.http_status, app.http_status, entry.http_status) as http_status,
        coalesce(edge.url_path, client.url_path, app.url_path, case when c.entry_serves then entry.url_path end)
            as url_path
    from (
        select
            * exclude (app_node),
            -- the span of the callee's application: none where only its own next call was seen, the first one where no
            -- sidecar's came before it
            case when not only_calls then app_node end as app_node,
            not only_calls and app_node is null as entry_serves,
            case when target_node is distinct from caller_node then target_node end as far_node
        from calls
    ) as c
    left join nodes as client on client.node = c.caller_node
    left join nodes as entry on entry.node = c.entry_node
    left join rare as app on app.node = c.app_node
    left join rare as edge on edge.node = c.edge_node
    left join rare as far on far.node = c.far_node
),
strange as (
    -- one join for all sides: the spans of hardly any call are odd, and a wide join costs what passes it
    select
        c.call,
        bool_or(o.shared and c.side <> 'caller') as shared,
        bool_or(o.conflict and c.side <> 'target') as conflict,
        bool_or(o.cycle and c.side in ('entry', 'target')) as cycle
    from (
        select
            call,
            unnest([caller_node, entry_node, app_node, target_node]) as node,
            unnest(['caller', 'entry', 'app', 'target']) as side
        from calls
    ) as c
    join odd as o using (node)
    group by c.call
)
select
    s.* exclude (client_host, client_start, client_nano, app_kind, app_host, app_start, app_nano, other_nano),
    coalesce(strange.shared, false) as shared,
    coalesce(strange.conflict, false) as conflict,
    coalesce(strange.cycle, false) as cycle,
    coalesce(client_nano, app_nano, other_nano) as duration_nano,
    case
        when client_nano is null or app_nano is null or client_host = app_host then 0
        when app_start >= client_start and app_start + app_nano <= client_start + client_nano then 0
        when app_kind in (4, 5) then 0
        when app_nano > client_nano then app_start::hugeint - client_start
        else app_start::hugeint - client_start - (client_nano - app_nano) // 2
    end as skew_nano,
    case when client_nano >= app_nano then client_nano - app_nano end as network_nano,
    -- more than the two sides' own spans: a sidecar, an edge, a second span of one side
    coalesce(len(e.spans) > (caller_span_id is not null)::integer + answered::integer, false) as witnessed_more
from seen as s
left join strange using (call)
left join evidence as e using (call)
