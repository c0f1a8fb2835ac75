-- Span conflicts of sealed traces.
create table if not exists lake.main.span_conflicts as
select *, null::uuid as seal, null::date as day from bindtrace.main.span_conflicts limit 0
