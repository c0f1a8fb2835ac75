-- Credential replay: a proof that is good for one request was used for a second one.
-- severity: medium
-- category: identity
-- status: preview, since 0.1
-- reads: hops, spans
-- concerns: reason = 'pop_replayed' or list_contains(marks, 'replayed')
-- message: {caller} showed {callee} a proof that {first} had used {interval}before, and {outcome}. {meaning}
-- why: a proof is for one request; a caller signs each attempt anew, so a second use is a retry by somebody else, or a theft.
-- fix: {instead}.
-- remedy: use mTLS to this callee, where there is nothing to replay, and find out who reads its requests or sends them again.
-- check: bindtrace findings --rule credential-replay --caller {caller} --callee {callee} --since 10m
-- may be wrong when: a proxy between them sends a request again by itself.
with again as (
    select
        h.trace_id,
        h.anchor_span_id,
        h.answered,
        h.caller,
        h.outcome,
        s.proof_sha256,
        coalesce(s.start_time_unix_nano, h.start_time_unix_nano) as start_time_unix_nano,
        coalesce(s.http_method, h.http_method) as http_method,
        coalesce(s.peer_id, s.client_address, s.network_peer_address) as peer
    from hops as h
    left join spans as s
        on s.trace_id = h.trace_id
        and list_contains(h.evidence, s.span_id)
        -- row groups without any proof are skipped by this
        and s.proof_sha256 is not null
        and (s.authz_reason = 'pop_replayed' or s.authz_replayed = 'true')
    where h.reason = 'pop_replayed' or list_contains(h.marks, 'replayed')
),
uses as (
    select
        proof_sha256,
        min(start_time_unix_nano) as first_unix_nano,
        arg_min(coalesce(peer_id, client_address, network_peer_address), start_time_unix_nano) as peer
    from spans
    semi join again using (proof_sha256)
    where proof_sha256 is not null and authz_reason is not null and authz_reason <> 'pop_replayed' and authz_replayed is null
    group by proof_sha256
),
told as (
    select
        a.*,
        u.first_unix_nano,
        coalesce(u.peer <> a.peer, false) as other_peer,
        u.peer as first_peer,
        coalesce(
            u.peer = a.peer
            and a.start_time_unix_nano < u.first_unix_nano + 5000000000
            -- RFC 9110 9.2.2: what a proxy may send again
            and a.http_method in ('GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'),
            false
        ) as retried
    from again as a
    left join uses as u using (proof_sha256)
)
-- a proxy's span may say the same as the guard's
select distinct on (trace_id, anchor_span_id, answered)
    trace_id,
    anchor_span_id,
    answered,
    case when other_peer then 'high' when retried then 'low' end as severity,
    null::varchar as file,
    null::uinteger as line,
    json_object(
        'first', case
            when first_unix_nano is null then 'somebody'
            when other_peer then coalesce(first_peer, 'somebody')
            else 'it'
        end,
        'interval', case
            when start_time_unix_nano > first_unix_nano + 1000000000
            then format('{:.1f} s ', (start_time_unix_nano - first_unix_nano) / 1e9)
            when start_time_unix_nano > first_unix_nano
            then format('{:.0f} ms ', (start_time_unix_nano - first_unix_nano) / 1e6)
            else ''
        end,
        'outcome', case outcome
            when 'passed' then 'it was let pass all the same'
            when 'refused' then 'was refused'
            else 'nothing says whether it passed'
        end,
        'meaning', case
            when other_peer then 'Two peers had the same proof: one of them has read it on its way.'
            when retried then 'It has the shape of a retry by a proxy.'
            else 'The same peer sent it again, as no retry would be sent.'
        end,
        'instead', case
            when retried then 'use mTLS to this callee, or stop the retries of the proxy between'
            else 'use mTLS to this callee, where there is nothing to replay, and find out who reads its requests'
        end
    ) as evidence
from told
order by trace_id, anchor_span_id, answered, start_time_unix_nano, peer
