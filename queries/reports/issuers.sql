-- Issuers: which services told of issued credentials, as an authority does, and how many.
-- parameters: since, until
-- reads: spans, instrumentation_scopes, identities, services
-- why: who writes the issuance log decides what is proven; a second one is either another authority or a forger.
select
    coalesce(n.service, 'unknown_service') as service,
    n.exporter as sender,
    case
        when not exists (select 1 from services where issuer) then 'as anybody'
        when exporter_service(n.exporter) in (select service from services where issuer) then 'yes'
        else 'no'
    end as believed,
    count(*) as credentials,
    min(s.received_unix_nano)::varchar as first_told,
    max(s.received_unix_nano)::varchar as last_told
from spans as s
join instrumentation_scopes as i using (instrumentation_scope_id)
join identities as n using (resource_id)
where
    i.name = 'bindtrace.authority'
    and s.name in ('issue token', 'issue certificate')
    and s.received_unix_nano >= $since
    and s.received_unix_nano < $until
group by all
order by credentials desc, service
