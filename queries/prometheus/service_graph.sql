-- Service graph: calls in the words that Tempo's service graph has for them, proxies folded away.
-- reads: hops
-- source: Tempo's metrics generator, service graphs: client, server, connection_type
select
    start_time_unix_nano as moment,
    duration_nano,
    1 as weight,
    coalesce(caller, 'user') as client,
    coalesce(callee, server_host, '(unseen)') as server,
    case kind
        when 'database' then 'database'
        when 'message' then 'messaging_system'
        when 'external' then 'virtual_node'
        else ''
    end as connection_type,
    road as bindtrace_road,
    verdict as bindtrace_verdict,
    error
from every_hop
