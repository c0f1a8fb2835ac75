-- Touched: the traces to analyse again: those with spans of newer loads, and those about which these say more.
-- parameters: after, upto, issued_since, log_from, log_until (load ids; Unix nanoseconds of the first credential that is news,
--             and from where to where the issuance log has grown)
-- why: a late span re-opens its trace, and one half of a broken call re-opens the trace of the other half. Traces are
--      numbered here and spans in `nodes`: every later step joins on one integer (ids: 20 times the cost of a step).
create or replace temp table touched as
with recursive fresh as (
    select trace_id, min(load_id) as first_load_id, max(load_id) as last_load_id
    from spans
    where load_id > $after and load_id <= $upto
    group by trace_id
),
vouched as (
    -- the receiver's span may come before the authority's: what was received since the issue has shown it, if anything
    select s.trace_id
    from issued_credentials as i
    join spans as s
        on i.credential_sha256 = coalesce(s.credential_sha256, lower(left(s.peer_cert_sha256, 32)))
    where
        i.load_id > $after
        and i.load_id <= $upto
        and s.load_id <= $after
        and s.received_unix_nano >= $issued_since::ubigint
),
doubted as (
    -- the log has gone on past these calls, and does not know what they showed
    select s.trace_id
    from spans as s
    anti join believed_credentials as i
        on i.credential_sha256 = s.credential_sha256
        and i.subject = s.verified_caller
    where
        s.credential_sha256 is not null
        and s.verified_caller is not null
        and s.load_id <= $after
        and s.start_time_unix_nano > $log_from::ubigint
        and s.start_time_unix_nano <= $log_until::ubigint
),
wanted as (
    -- a chain is a trace id or a request id: what is redone brings all that shares one with it, and so on
    select trace_id from fresh
    union
    select trace_id from vouched
    union
    select trace_id from doubted
    union
    select l.other
    from wanted as w
    join linked_traces as l on l.one = w.trace_id
)
select
    row_number() over (order by trace_id)::integer as trace,
    trace_id,
    t.trace_id is not null as known,
    t.last_load_id as stored_load_id,
    least(coalesce(fresh.first_load_id, t.first_load_id), coalesce(t.first_load_id, fresh.first_load_id))
        as first_load_id,
    greatest(coalesce(fresh.last_load_id, 0), coalesce(t.last_load_id, 0)) as last_load_id
from wanted
left join fresh using (trace_id)
-- the few wanted ones first: a left join would put all of history into its hash table
left join (select t.* from traces as t semi join wanted using (trace_id)) as t using (trace_id)
where fresh.trace_id is not null or t.trace_id is not null
