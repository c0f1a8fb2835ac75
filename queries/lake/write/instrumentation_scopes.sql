-- Instrumentation scopes that the lake does not have yet.
-- reads: instrumentation_scopes
insert into lake.main.instrumentation_scopes by name
select *
from bindtrace.main.instrumentation_scopes
anti join lake.main.instrumentation_scopes as known using (instrumentation_scope_id)
