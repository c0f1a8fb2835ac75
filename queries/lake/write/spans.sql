-- Spans of the traces that are sealed, as they came.
-- parameters: seal, upto
-- reads: spans, closing
insert into lake.main.spans by name
select
    * exclude (load_id)
    replace (
        bindtrace.main.elided(
            attributes, http_method, http_status, http_route, url_path, url_scheme, server_host, network_peer_address,
            client_address, request_id, db_system, messaging_system
        ) as attributes
    ),
    $seal::uuid as seal,
    date '1970-01-01' + (received_unix_nano // 86400000000000)::integer as day
from bindtrace.main.spans
semi join closing using (trace_id)
where load_id <= $upto
order by trace_id, received_unix_nano, start_time_unix_nano
