-- Judged: the decision on every shape of call, and how bad it is; the rest of it is in `facts`.
-- reads: facts, decisions
create or replace temp table judged as
with callees as (
    select called, row_number() over (order by called)::integer as callee_name
    from (select distinct coalesce(callee, '(unseen)') as called from facts)
)
select
    f.shape,
    f.caller,
    f.callee,
    f.road,
    f.resends,
    d.verdict,
    d.reason,
    json_array(f.scope, f.caller, f.caller_env, f.callee, f.callee_env, f.road)::varchar as edge,
    list_position(['denied', 'unknown', 'allowed'], d.verdict)::utinyint as verdict_rank,
    -- the entry comes from outside by its nature: it says nothing of the roads inside
    case
        when f.caller is not null and f.fact_caller <> 'external'
        then list_position(['public', 'unknown', 'private', 'binding'], f.road)
    end::utinyint as road_rank,
    -- nor, but where its witnesses disagree, of how sure they are: it counts for less than any of them
    (
        list_position(['contradicted', 'inferred', 'claimed', 'verified', 'proven'], f.grade)
        + case when road_rank is null and f.grade <> 'contradicted' then 5 else 0 end
    )::utinyint as grade_rank,
    n.callee_name
from facts as f
join callees as n on n.called = coalesce(f.callee, '(unseen)')
join decisions as d
    using (fact_receiver, fact_manifest, fact_caller, fact_callee, fact_grant, fact_entry)
