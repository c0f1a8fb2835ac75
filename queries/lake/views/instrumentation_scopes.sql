-- Instrumentation scopes, of the collector's own file and of the lake, each once.
-- reads: instrumentation_scopes (and the lake's instrumentation_scopes)
-- why: spans that other collectors sealed name what this one never saw; two that saw a new one at once both wrote it.
create or replace view memory.main.instrumentation_scopes as
select * from bindtrace.main.instrumentation_scopes
union all by name
select
    sealed.*
from (
    select distinct on (instrumentation_scope_id) *
    from lake.main.instrumentation_scopes
) as sealed
anti join bindtrace.main.instrumentation_scopes using (instrumentation_scope_id)
