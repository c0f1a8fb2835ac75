-- Spans of late traces, back from the lake, as of the last load that was analysed: before their late spans.
-- parameters: load
-- reads: late
insert into bindtrace.main.spans by name
select
    * exclude (seal, day) replace (
        bindtrace.main.restored(
            attributes, http_method, http_status, http_route, url_path, url_scheme, server_host, network_peer_address,
            client_address, request_id, db_system, messaging_system
        ) as attributes
    ),
    $load as load_id
from lake.main.spans
semi join late using (trace_id)
order by trace_id, received_unix_nano
