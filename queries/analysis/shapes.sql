-- Shapes: calls that are alike in all that decides, once each; `calls` says which calls they are.
-- reads: witnessed, periods, believed_credentials, traits, outsiders, asked
-- why: what is named, placed, granted and judged below is so once a shape and not once a call. What is decided from and
--      differs from call to call is a column here that takes few values: a period for a time, an equality for two hashes.
create or replace temp table shapes as
with callers as (
    -- of a caller it decides who it is, not how it was called itself: one of its resource's traits stands for all
    select
        trait,
        min(trait) over (partition by name, host) as first_trait,
        service in (select service from outsiders) as outside
    from traits
)
select row_number() over ()::integer as shape, *
from (
    select
        c.first_trait as caller_trait,
        client_trait,
        entry_trait,
        app_trait,
        target_trait,
        edge_trait,
        via,
        pairing,
        orphan,
        joined,
        twice_sent,
        shared,
        conflict,
        cycle,
        answered,
        proof_agrees,
        witnessed_more,
        q.since_unix_nano as period,
        coalesce(
            w.start_time_unix_nano <= (select max(issued_unix_nano) from believed_credentials), false
        ) as before_last_issued,
        -- methods are few, but differ from call to call; paths differ without end: only where an entry or a grant is told
        -- by one
        case when a.method then w.http_method end as http_method,
        case when a.path or (a.entries and (w.caller_trait is null or c.outside)) then w.url_path end as url_path,
        list(w.call) as calls
    from witnessed as w
    cross join asked as a
    join periods as q
        on w.start_time_unix_nano >= q.since_unix_nano
        -- the last period ends with the last moment, which is in it
        and least(w.start_time_unix_nano, 18446744073709551614) < q.until_unix_nano
    left join callers as c on c.trait = w.caller_trait
    group by all
)
