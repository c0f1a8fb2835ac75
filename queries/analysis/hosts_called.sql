-- Hosts called: each distinct host and address of the calls at hand, to be classed once (propagation/addresses.py).
-- reads: traits
create or replace temp table hosts_called as
select distinct unnest([server_host, network_peer_address, client_address, proxy_cluster]) as host
from traits
