-- Spans, those of the collector's own file and those of the lake, each once.
-- reads: spans, recalled, sealing (and the lake's spans)
-- why: the file says which of the lake's rows count: not those of a seal that it still holds itself, nor those of a trace
--      that it took back. What is sealed has load 0: where a question knows the loads of a trace, the lake is not read.
--      The file comes first: its snapshot is then never newer than the lake's.
create or replace view memory.main.spans as
select * from bindtrace.main.spans
union all by name
select
    sealed.* exclude (seal, day)
    replace (
        bindtrace.main.restored(
            sealed.attributes, sealed.http_method, sealed.http_status, sealed.http_route, sealed.url_path,
            sealed.url_scheme, sealed.server_host, sealed.network_peer_address, sealed.client_address,
            sealed.request_id, sealed.db_system, sealed.messaging_system
        ) as attributes
    ),
    0::ubigint as load_id
from lake.main.spans as sealed
anti join bindtrace.main.recalled using (trace_id)
anti join bindtrace.main.sealing using (seal)
