-- Remove the hops that are about to be stored anew.
-- reads: touched
delete from hops where trace_id in (select trace_id from touched)
