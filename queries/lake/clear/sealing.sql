-- Sealing: done.
delete from bindtrace.main.sealing
