-- Rejected credential: a guard did not accept the credential that a call showed.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops
-- concerns: verdict = 'denied' and reason not in ('undeclared', 'forbidden', 'credential_missing')
-- message: {caller} showed {callee} credentials that it does not accept ({reasons}), and {outcome}.
-- why: it is a mistake or an attempt, and somebody has to know of either.
-- fix: {instead}.
-- remedy: find out who sends them, and renew the caller's credentials if they were stolen.
-- check: bindtrace hops --caller {caller} --callee {callee} --verdict denied --since 10m
-- may be wrong when: a client was deployed with a broken credential.
with refused as (
    select
        *,
        count(*) over (partition by callee, start_time_unix_nano // 300000000000) as in_five_minutes,
        reason in ('expired', 'not_yet_valid', 'pop_expired', 'peer_cert_expired', 'peer_cert_not_yet_valid') as of_time,
        count(*) over (
            partition by coalesce(caller, verified_caller), callee, start_time_unix_nano // 600000000000, of_time
        ) as in_ten_minutes
    from hops
    where
        verdict = 'denied'
        -- a receiver's reasons of the classes request, authenticity, proof and peer; those that other rules name are theirs
        and reason in (
            'credential_duplicate', 'header_alias', 'credential_malformed', 'header_forbidden', 'typ_mismatch',
            'alg_not_allowed', 'subject_malformed', 'trust_domain_unknown', 'key_unknown', 'signature_invalid',
            'claims_invalid', 'issuer_mismatch', 'not_yet_valid', 'expired', 'lifetime_exceeded', 'revoked',
            'pop_malformed', 'pop_key_mismatch', 'pop_audience_mismatch', 'pop_expired', 'pop_wit_mismatch',
            'pop_token_mismatch', 'pop_method_mismatch', 'pop_uri_mismatch', 'peer_cert_untrusted', 'peer_cert_expired',
            'peer_cert_not_yet_valid', 'peer_cert_profile', 'peer_id_mismatch', 'cert_binding_mismatch',
            'forwarded_cert_untrusted_source'
        )
),
told as (
    select
        caller,
        callee,
        callee_env,
        list(distinct reason order by reason) as reasons,
        bool_or(outcome = 'passed') as passed,
        bool_or(outcome = 'refused') as refused
    from refused
    group by caller, callee, callee_env
)
select
    r.trace_id,
    r.anchor_span_id,
    r.answered,
    null as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'reasons', array_to_string(t.reasons, ', '),
        'outcome', case
            when t.passed and t.refused then 'was refused where the guard enforces'
            when t.passed then 'the guard only observed'
            when t.refused then 'was refused'
            else 'nothing says whether it passed'
        end,
        'instead', case
            when r.caller is not null
            then format('find out who in {} sends them, and renew its credentials if they were stolen', r.caller)
            else 'find out where these calls come from, and close that way'
        end
    ) as evidence
from refused as r
join told as t
    on t.callee is not distinct from r.callee
    and t.caller is not distinct from r.caller
    and t.callee_env is not distinct from r.callee_env
-- many within minutes are a burst or a clock, which have rules of their own
where r.in_five_minutes < 20 and not (r.of_time and r.in_ten_minutes >= 5)
