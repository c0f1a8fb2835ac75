-- Attack burst: a guard turned away many credentials that were malformed, forged or out of date within minutes.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops
-- concerns: verdict = 'denied'
-- message: within five minutes {bad} calls to {callee} showed bad credentials ({reasons}).
-- why: one bad credential is a mistake; many at once mean that somebody tries what {callee} accepts, or that a deploy broke its callers.
-- fix: see whether they come from a caller that has a valid identity elsewhere (a broken deploy); if not, close the way by which they come.
-- check: bindtrace findings --rule attack-burst --callee {callee} --since 10m
-- may be wrong when: a client was deployed with a broken credential.
with refused as (
    select
        *,
        reason in ('alg_not_allowed', 'header_forbidden', 'signature_invalid') as telling,
        start_time_unix_nano // 300000000000 as five_minutes
    from hops
    where
        verdict = 'denied'
        -- a receiver's reasons of the classes request and authenticity; a missing credential is no attempt
        and reason in (
            'credential_duplicate', 'header_alias', 'credential_malformed', 'header_forbidden', 'typ_mismatch',
            'alg_not_allowed', 'subject_malformed', 'trust_domain_unknown', 'key_unknown', 'signature_invalid',
            'claims_invalid', 'issuer_mismatch', 'not_yet_valid', 'expired', 'lifetime_exceeded', 'revoked'
        )
),
bursts as (
    select callee, five_minutes, count(*) as bad, bool_or(telling) as telling, list(distinct reason order by reason) as reasons
    from refused
    group by callee, five_minutes
    having count(*) >= 20
)
select
    r.trace_id,
    r.anchor_span_id,
    r.answered,
    case when b.telling then 'high' end as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object('bad', b.bad, 'reasons', array_to_string(b.reasons, ', ')) as evidence
from refused as r
join bursts as b on b.callee = r.callee and b.five_minutes = r.five_minutes
