-- Weak assurance: a call was less well protected or proven than its binding or its callee asks for.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops, services, grants
-- concerns: reason in ('peer_cert_missing', 'pop_missing', 'ok_bearer', 'handshake_failed') or (verified_caller is not null and protection = 'plaintext') or (protection in ('plaintext', 'tls') and (select count(protection) from service_revisions) + (select count(protection) from grant_revisions) > 0)
-- message: {caller} called {callee} with {actual} where {required} is asked for ({share} of its calls).
-- why: whoever listens on the way can take over what is not bound to the connection.
-- fix: {instead}.
-- remedy: let the caller connect with what the callee asks for (its transport, or a sidecar), or ask for less under `protection` in the manifest.
-- check: bindtrace findings --rule weak-assurance --caller {caller} --callee {callee} --since 10m
-- may be wrong when: a proxy on the same machine ends the TLS and sends no spans, or a roll-out is under way.
with asked as (
    select caller, callee, any_value(protection) as protection
    from grants
    where protection is not null
    group by caller, callee
),
asked_of_all as (
    select service as callee, any_value(protection) as protection from services where protection is not null group by service
),
weak as (
    select
        h.trace_id,
        h.anchor_span_id,
        h.answered,
        h.caller,
        h.callee,
        h.grant_file,
        h.grant_line,
        case
            when h.reason in ('peer_cert_missing', 'pop_missing') then 'no ' || case h.reason when 'pop_missing' then 'proof token' else 'client certificate' end
            when h.reason = 'ok_bearer' then 'a token alone'
            when h.reason = 'handshake_failed' then 'plaintext or an old TLS'
            when h.protection = 'plaintext' then 'plaintext'
            else 'TLS without a client certificate'
        end as actual,
        case
            when h.reason = 'peer_cert_missing' then 'a client certificate'
            when h.reason = 'pop_missing' then 'a proof token'
            when h.reason = 'ok_bearer' then 'a proof'
            when h.reason = 'handshake_failed' then 'TLS 1.3'
            when coalesce(a.protection, b.protection) = 'mtls' then 'mTLS'
            else 'TLS'
        end as needed
    from hops as h
    left join asked as a on a.caller = h.caller and a.callee = h.callee
    left join asked_of_all as b on b.callee = h.callee
    where
        h.kind in ('call', 'message')
        and (
            h.reason in ('peer_cert_missing', 'pop_missing', 'ok_bearer', 'handshake_failed')
            -- a verified caller whose token anybody on the way could read; a loopback has no way between
            or (
                h.verified_caller is not null
                and h.protection = 'plaintext'
                and not own_host(h.server_host)
            )
            or (h.protection = 'plaintext' and coalesce(a.protection, b.protection) in ('tls', 'mtls'))
            or (h.protection = 'tls' and coalesce(a.protection, b.protection) = 'mtls')
        )
),
pairs as (
    select caller, callee, count(*) as calls
    from hops
    semi join weak using (callee)
    group by caller, callee
),
shares as (
    select w.caller, w.callee, count(*) / any_value(p.calls) as share
    from weak as w
    join pairs as p on p.callee = w.callee and p.caller is not distinct from w.caller
    group by w.caller, w.callee
)
select
    w.trace_id,
    w.anchor_span_id,
    w.answered,
    null as severity,
    w.grant_file as file,
    w.grant_line as line,
    json_object(
        'actual', w.actual,
        'required', w.needed,
        'share', format('{:.0f} %', 100 * s.share),
        'instead', case w.needed
            when 'a client certificate' then 'let the caller connect with its certificate (its transport, or a sidecar)'
            when 'a proof token' then 'let the caller sign its requests: Target(…, proof="wpt") in its transport'
            when 'TLS 1.3' then 'let the caller speak TLS 1.3 to this listener'
            when 'a proof' then 'give the caller a token that is bound to a key'
            else 'carry this call over ' || w.needed || ', or say less under `protection` in the manifest'
        end
    ) as evidence
from weak as w
join shares as s on s.callee = w.callee and s.caller is not distinct from w.caller
