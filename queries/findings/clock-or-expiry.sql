-- Clock or expiry: a caller's credentials were expired or not yet valid, again and again within minutes.
-- severity: low
-- category: identity
-- status: preview, since 0.1
-- reads: hops, spans
-- concerns: reason in ('expired', 'not_yet_valid', 'pop_expired', 'peer_cert_expired', 'peer_cert_not_yet_valid')
-- message: within ten minutes {calls} credentials of {caller} were expired or not yet valid at {callee} ({reasons}){offset}. {meaning}
-- why: a wrong clock, or a renewal that no longer happens, looks like an attack, and good callers are refused.
-- fix: {instead}.
-- remedy: set the clocks of both right (NTP), and see that the caller reaches the authority that renews its credentials.
-- check: bindtrace findings --rule clock-or-expiry --caller {caller} --callee {callee} --since 10m
-- may be wrong when: somebody tries old credentials that were found somewhere.
with late as (
    select
        h.trace_id,
        h.anchor_span_id,
        h.answered,
        coalesce(h.caller, h.verified_caller) as who,
        h.callee,
        h.outcome,
        h.reason,
        h.start_time_unix_nano // 600000000000 as ten_minutes,
        h.start_time_unix_nano / 1e9 as at_s,
        -- the receiver's now less the time that the credential says
        case h.reason
            when 'expired' then -try_cast(json_extract_string(s.attributes, '/bindtrace.credential.remaining_s') as double)
            when 'not_yet_valid' then try_cast(json_extract_string(s.attributes, '/bindtrace.credential.age_s') as double)
            when 'pop_expired' then try_cast(json_extract_string(s.attributes, '/bindtrace.pop.age_s') as double)
            when 'peer_cert_expired'
                then -try_cast(json_extract_string(s.attributes, '/bindtrace.peer.cert_remaining_s') as double)
            else try_cast(json_extract_string(s.attributes, '/bindtrace.peer.cert_age_s') as double)
        end as offset_s
    from hops as h
    left join spans as s
        on s.trace_id = h.trace_id
        and s.span_id = coalesce(h.callee_span_id, h.anchor_span_id)
        and s.authz_reason in ('expired', 'not_yet_valid', 'pop_expired', 'peer_cert_expired', 'peer_cert_not_yet_valid')
    where h.reason in ('expired', 'not_yet_valid', 'pop_expired', 'peer_cert_expired', 'peer_cert_not_yet_valid')
),
clusters as (
    select
        who,
        callee,
        ten_minutes,
        count(*) as calls,
        list(distinct reason order by reason) as reasons,
        median(offset_s) as median_s,
        max(offset_s) - min(offset_s) as spread_s,
        -- 1: by each second that passes they are a second later
        regr_slope(offset_s, at_s) as growth
    from late
    group by who, callee, ten_minutes
    having count(*) >= 5
),
receivers as (
    -- where many callers are wrong at one callee and nowhere else, it is the callee's clock
    select callee, count(distinct who) >= 3 as its_own from clusters group by callee
)
select
    l.trace_id,
    l.anchor_span_id,
    l.answered,
    case when l.outcome = 'refused' then 'medium' end as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'calls', c.calls,
        'reasons', array_to_string(c.reasons, ', '),
        'offset', case when c.median_s is not null then format(', by {:.0f} s (median)', abs(c.median_s)) else '' end,
        'meaning', case
            when r.its_own then 'Several callers are out of their time at this callee: its own clock is the likely one.'
            when c.growth > 0.5 then 'They are later by each second that passes: nothing renews them.'
            when c.spread_s <= 10 then 'The distance stays the same: two clocks differ.'
            else 'Either clocks differ, or credentials are used after their end.'
        end,
        'instead', case
            when r.its_own then format('set the clock of {} right (NTP)', l.callee)
            when c.growth > 0.5 then format('look why {} is not renewed: can it reach the authority?', coalesce(l.who, 'the caller'))
            when c.spread_s <= 10 then format(
                'set the clock of {} right (NTP): it is {:.0f} s {}', coalesce(l.who, 'the caller'), abs(c.median_s),
                case when c.median_s > 0 then 'behind' else 'ahead' end
            )
            else format('compare the clocks of {} and {} with the authority''s', coalesce(l.who, 'the caller'), l.callee)
        end
    ) as evidence
from late as l
join clusters as c on c.who is not distinct from l.who and c.callee = l.callee and c.ten_minutes = l.ten_minutes
join receivers as r on r.callee = l.callee
