-- Senders: what became of everybody's spans, so that nothing is rejected in silence; the busiest first.
-- parameters: since, until
-- reads: senders
with counted as (
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
