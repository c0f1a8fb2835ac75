-- Instrumentation scopes that sealed spans name.
create table if not exists lake.main.instrumentation_scopes as
select * from bindtrace.main.instrumentation_scopes limit 0
