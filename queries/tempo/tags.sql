-- Tags: the attribute keys that spans of the window have, by scope; of many spans only the latest are looked into.
-- parameters: since, until, sample (spans)
-- reads: spans, resources, instrumentation_scopes
with sampled as (
    select attributes, resource_id, instrumentation_scope_id
    from spans
    where start_time_unix_nano >= $since and start_time_unix_nano < $until
    order by rowid desc
    limit $sample
),
keys as (
    select 'span' as scope, unnest(json_keys(attributes)) as tag from sampled
    union all
    select 'resource', unnest(json_keys(attributes)) from resources semi join sampled using (resource_id)
    union all
    select 'instrumentation', unnest(json_keys(attributes))
    from instrumentation_scopes
    semi join sampled using (instrumentation_scope_id)
)
select scope, list_sort(list(distinct tag)) as tags
from keys
group by scope
