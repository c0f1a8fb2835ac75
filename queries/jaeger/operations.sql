-- Operations: the names and kinds of a service's spans, of its latest spans only.
-- parameters: service, sample (spans)
-- reads: spans, identities
select name, ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'][kind + 1] as kind
from (
    select s.name, s.kind
    from spans as s
    semi join (
        select resource_id from identities where coalesce(service, 'unknown_service') = $service
    ) as named using (resource_id)
    order by s.rowid desc
    limit $sample
)
group by name, kind
order by name, kind
