-- Policy periods: the stretches of time in each of which one and the same set of revisions was in force.
-- reads: manifests
create or replace view policy_periods as
with bounds as (
    select 0::ubigint as bound
    union
    select in_force_from_unix_nano from manifests
    union
    select in_force_until_unix_nano from manifests where in_force_until_unix_nano is not null
)
select
    bound as since_unix_nano,
    coalesce(lead(bound) over (order by bound), 18446744073709551615) as until_unix_nano
from bounds;
