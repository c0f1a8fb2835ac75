-- Revisions: every manifest that was in force in the window, from when to when, with the digest of its bytes.
-- parameters: since, until
-- reads: manifests, grant_revisions, exposure_revisions
with granted as (
    select revision, count(*) as grants from grant_revisions group by revision
),
exposed as (
    select revision, count(*) as exposures from exposure_revisions group by revision
)
select
    m.file,
    m.platform,
    nullif(m.scope, '') as scope,
    m.deployment,
    m.revision,
    coalesce(granted.grants, 0) as grants,
    coalesce(exposed.exposures, 0) as exposures,
    m.loaded_unix_nano::varchar as loaded,
    nullif(m.in_force_from_unix_nano, 0)::varchar as in_force_from,  -- null: nothing older is known of this file
    m.in_force_until_unix_nano::varchar as in_force_until
from manifests as m
left join granted using (revision)
left join exposed using (revision)
where
    m.in_force_from_unix_nano < $until
    and coalesce(m.in_force_until_unix_nano, 18446744073709551615) > $since
order by m.file, m.in_force_from_unix_nano, m.loaded_unix_nano
