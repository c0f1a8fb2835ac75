-- Remember: which loads hold the spans of the traces that were just done.
-- reads: touched
delete from traces where trace_id in (select trace_id from touched where known);
insert into traces select trace_id, first_load_id, last_load_id from touched
