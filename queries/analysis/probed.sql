-- Probed: the shapes of call that a declared health checker makes: from its addresses, at its paths.
-- reads: sightings, host_classes, probes
-- why: a load balancer that asks whether a service lives is no visitor. What a probe says of the user agent no column
--      shows, so one that names it matches nothing.
create or replace temp table probed as
select distinct s.shape
from sightings as s
left join host_classes as c on c.host = coalesce(s.client_address, s.entry_peer_address)
join probes as b
    on b.user_agent is null
    and (b.cidrs = [] or list_contains(c.probes, b.name))
    and (
        b.paths = []
        or list_bool_or(list_transform(b.paths, lambda path: regexp_full_match(coalesce(s.url_path, '/'), path)))
    )
