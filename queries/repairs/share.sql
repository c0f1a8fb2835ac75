-- Share: of the touched traces those of one share; what may be joined to another trace is in the first.
-- parameters: share, shares (from 0, their number)
-- reads: touched, trace_links
-- why: shares are analysed at the same time, and a call may have its halves in two traces. Most traces are linked to
--      no other: they begin with a request id that nobody else has. Run only where a run is shared.
delete from touched
where trace not in (
    with links as materialized (
        select distinct l.chain, l.trace_id from trace_links as l semi join touched using (trace_id)
    ),
    common as (
        select chain from links group by chain having count(*) > 1
        union
        select chain from links semi join touched on touched.trace_id = links.chain
    ),
    bound as (
        select trace_id from links semi join common using (chain)
        union
        select chain from common
    )
    select t.trace
    from touched as t
    left join bound as b using (trace_id)
    where case when b.trace_id is null then hash(t.trace_id) % $shares else 0 end = $share
)
