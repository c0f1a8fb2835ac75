-- Leads: the spans through which a service was reached whose own spans are there.
-- reads: visits, proxied
create or replace temp table leads as
with last_proxies as (
    select last_proxy as node from visits where last_proxy is not null
    union
    select unnest(edge_proxies) from visits where edge_proxies is not null
)
select first_client as node from visits where first_client is not null and first_client <> last_client
union all
select last_client from visits where last_client is not null
union all
select unnest(p.nodes) from proxied as p semi join last_proxies using (node)
