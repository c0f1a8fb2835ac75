-- Remove the hops that are about to be stored anew.
-- parameters: stored_from, stored_to (load ids)
-- reads: touched
-- why: hops carry the last load of their trace: DuckDB skips the row groups of all others.
delete from hops
where load_id >= $stored_from and load_id <= $stored_to and trace_id in (select trace_id from touched where known)
