-- Instrumentation scopes of late traces that the file has forgotten, or that another collector sealed.
-- reads: late
insert into bindtrace.main.instrumentation_scopes by name
select distinct on (instrumentation_scope_id) *
from lake.main.instrumentation_scopes
semi join (
    select instrumentation_scope_id from lake.main.spans semi join late using (trace_id)
) as named using (instrumentation_scope_id)
anti join bindtrace.main.instrumentation_scopes as known using (instrumentation_scope_id)
