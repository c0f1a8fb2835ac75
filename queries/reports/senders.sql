-- Senders: what became of everybody's spans, so that nothing is rejected in silence; the busiest first.
-- parameters: since, until
-- reads: senders, span_conflicts, resources
with received as (
    select
        service,
        sdk,
        protocol,
        max(version) as version,
        what,
        reason,
        sum(spans)::bigint as spans,
        max(last_seen_unix_nano) as last_seen
    from senders
    where last_seen_unix_nano >= $since and last_seen_unix_nano < $until
    group by service, sdk, protocol, what, reason
),
conflicting as (
    select coalesce(r.service, '') as service, r.sdk, count(*) as spans, max(c.received_unix_nano) as last_seen
    from span_conflicts as c
    join resources as r using (resource_id)
    where c.received_unix_nano >= $since and c.received_unix_nano < $until
    group by all
),
counted as (
    select service, sdk, protocol, version, what, reason, spans, last_seen from received
    union all by name
    -- a span does not say by which protocol it came: the one that its sender mostly uses
    select
        c.service,
        c.sdk,
        coalesce(max_by(r.protocol, r.spans) filter (r.what = 'accepted'), '') as protocol,
        'conflicts' as what,
        '' as reason,
        any_value(c.spans)::bigint as spans,
        any_value(c.last_seen) as last_seen
    from conflicting as c
    left join received as r on r.service = c.service and r.sdk is not distinct from c.sdk
    group by c.service, c.sdk
)
select
    service,
    sdk,
    max(version) as version,
    protocol,
    coalesce(sum(spans) filter (what = 'accepted'), 0)::bigint as accepted,
    coalesce(map_from_entries(list((reason, spans) order by reason) filter (what = 'rejected')), map {}) as rejected,
    coalesce(map_from_entries(list((reason, spans) order by reason) filter (what = 'refused')), map {}) as refused,
    coalesce(sum(spans) filter (what = 'redacted'), 0)::bigint as redacted,
    coalesce(sum(spans) filter (what = 'duplicates'), 0)::bigint as duplicates,
    coalesce(sum(spans) filter (what = 'conflicts'), 0)::bigint as conflicts,
    coalesce(map_from_entries(list((reason, spans) order by reason) filter (what = 'quirks')), map {}) as quirks,
    max(last_seen)::varchar as last_seen
from counted
group by service, sdk, protocol
order by accepted desc, service, sdk, protocol
