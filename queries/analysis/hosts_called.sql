-- Hosts called: each distinct host and address of the spans at hand, to be classed once (propagation/addresses.py).
-- parameters: first_load, last_load (of the touched traces)
-- reads: touched, spans
create or replace temp table hosts_called as
select distinct unnest([server_host, network_peer_address, client_address, proxy_cluster]) as host
from (
    -- as rows first: a list for each span costs more
    select distinct s.server_host, s.network_peer_address, s.client_address, s.proxy_cluster
    from spans as s
    semi join touched using (trace_id)
    where s.load_id >= $first_load and s.load_id <= $last_load
)
