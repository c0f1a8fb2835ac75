-- Forged telemetry: a service says that it verified a credential that its caller was never issued, or not for it.
-- severity: high
-- category: identity
-- status: preview, since 0.1
-- reads: hops, spans, believed_credentials
-- concerns: list_contains(marks, 'never-issued') or list_contains(marks, 'issued-for-another')
-- message: {callee} says that {caller} showed a valid credential, but by the authority's log it was {issued}.
-- why: the receiver and the log disagree, and no service can write the log.
-- fix: treat what {callee} reports as untrusted since {since}, and find out who writes its spans; look whether the whole issuance log was given.
-- remedy: treat what the callee reports as untrusted since the first of these calls, and find out who writes its spans; look whether the whole issuance log was given.
-- check: bindtrace findings --rule forged-telemetry --callee {callee} --since 10m
-- may be wrong when: the issuance log that was given lacks a part of its middle.
with doubted as (
    select *
    from hops
    where list_contains(marks, 'never-issued') or list_contains(marks, 'issued-for-another')
),
meant as (
    -- the service that the log has
    select d.trace_id, d.anchor_span_id, d.answered, min(i.callee) as callee
    from doubted as d
    join spans as s on s.trace_id = d.trace_id and list_contains(d.evidence, s.span_id)
    join believed_credentials as i on i.credential_sha256 = s.credential_sha256
    where list_contains(d.marks, 'issued-for-another') and s.authz_reason in ('ok', 'ok_bearer')
    group by all
)
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object(
        'issued', case
            when list_contains(h.marks, 'never-issued') then 'never issued to ' || coalesce(h.verified_caller, 'nobody')
            else 'issued to ' || coalesce(h.verified_caller, 'nobody') || ' for ' || coalesce(m.callee, 'another service')
        end,
        'since', strftime(
            make_timestamp_ns((min(h.start_time_unix_nano) over (partition by h.callee))::bigint), '%Y-%m-%d %H:%M:%S UTC'
        )
    ) as evidence
from doubted as h
left join meant as m using (trace_id, anchor_span_id, answered)
