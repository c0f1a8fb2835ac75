-- Forged telemetry: a service says that it verified a credential that its caller was never issued.
-- severity: high
-- category: identity
-- status: preview, since 0.1
-- reads: hops
-- concerns: list_contains(marks, 'never-issued')
-- message: {callee} says that {caller} showed a valid credential, but by the authority's log it was never issued to {identity}.
-- why: the receiver and the log disagree, and no service can write the log.
-- fix: treat what {callee} reports as untrusted since {since}, and find out who writes its spans; look whether the whole issuance log was given.
-- remedy: treat what the callee reports as untrusted since the first of these calls, and find out who writes its spans; look whether the whole issuance log was given.
-- check: bindtrace findings --rule forged-telemetry --callee {callee} --since 10m
-- may be wrong when: the issuance log that was given lacks a part of its middle.
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object(
        'identity', coalesce(h.verified_caller, 'nobody'),
        'since', strftime(
            make_timestamp_ns((min(h.start_time_unix_nano) over (partition by h.callee))::bigint), '%Y-%m-%d %H:%M:%S UTC'
        )
    ) as evidence
from hops as h
where list_contains(h.marks, 'never-issued')
