-- Gaps: what the collector itself could not see: when it was down, whose spans it refused or could not store, what it lost.
-- parameters: since, until
-- reads: lives, senders, meta
-- why: silence must not be taken for peace. A life is noted every minute, so a shorter pause is none.
with pauses as (
    select
        alive_unix_nano as since,
        lead(started_unix_nano) over (order by started_unix_nano) as until
    from lives
),
down as (
    select
        'down' as what,
        null::varchar as service,
        null::varchar as reason,
        null::bigint as spans,
        greatest(since, $since) as since,
        least(until, $until) as until
    from pauses
    where until - since > 120000000000 and until > $since and since < $until
),
lost as (
    select
        what,
        service,
        nullif(reason, '') as reason,
        sum(spans)::bigint as spans,
        min(last_seen_unix_nano) as since,
        max(last_seen_unix_nano) as until
    from senders
    where
        what in ('rejected', 'refused', 'quarantined', 'conflicts')
        and last_seen_unix_nano >= $since
        and last_seen_unix_nano < $until
    group by what, service, reason
),
given_up as (
    -- a lake that was forgotten, with what was sealed into it
    select 'lost' as what, 'lake' as reason, $since::ubigint as since, least(value::ubigint, $until) as until
    from meta
    where key = 'lost_until_unix_nano' and value::ubigint > $since
)
select what, service, reason, spans, since::varchar as since, until::varchar as until
from (select * from down union all by name select * from lost union all by name select * from given_up)
where spans is null or spans > 0
order by what, service nulls first, since
