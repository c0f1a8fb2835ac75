-- Services: every service that ever sent a span; without a look at the spans, which may be many.
-- reads: identities
select distinct coalesce(service, 'unknown_service') as service
from identities
order by service
