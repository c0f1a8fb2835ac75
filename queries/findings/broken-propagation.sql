-- Broken propagation: a request carried its Service-Binding header but lost its trace context.
-- severity: low
-- category: coverage
-- status: stable, since 0.1
-- reads: hops
-- concerns: pairing = 'binding-header' or (pairing = 'none' and answered and not orphan and caller is not null)
-- message: {callee} could not see that {caller} called it: traceparent was lost on the way{joined}.
-- why: a chain that breaks here hides who is behind the calls that follow.
-- fix: let {caller} send traceparent with its calls to {callee}{variable} (propagate the context to that address).
-- remedy: let the caller send traceparent with its calls to the callee (propagate the context to that address).
-- check: bindtrace hops --caller {caller} --callee {callee} --pairing binding-header --since 10m
-- may be wrong when: the caller restarts its traces on purpose.
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object(
        'joined', case when h.pairing = 'binding-header' then '; the header joined the two halves' else '' end,
        'variable', case when h.binding is not null then ' by ' || h.binding else '' end
    ) as evidence
from hops as h
where
    h.pairing = 'binding-header'
    -- a claim without any parent: the header arrived, the trace context did not
    or (
        h.pairing = 'none' and h.answered and not h.orphan and h.caller is not null and h.via = []
        -- a credential names callers that trace nothing at all
        and h.claimed_caller is not null
        -- in a handshake that was refused nothing was sent yet: its certificate alone claims the caller
        and h.reason not in ('peer_cert_expired', 'peer_cert_not_yet_valid')
    )
