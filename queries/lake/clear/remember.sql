-- Remember: which traces went into the lake, for spans of them that are late.
-- parameters: sealed_unix_nano
-- reads: closing
insert into bindtrace.main.sealed_traces
select trace_id, $sealed_unix_nano::ubigint from closing
