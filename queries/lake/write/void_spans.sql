-- Void: what the lake has of traces that were taken back since.
-- reads: closing
delete from lake.main.spans
where trace_id in (select trace_id from closing where again)
