-- Every hop: all of them, where a statement has a window of its own that it calls `hops`.
-- reads: hops
create or replace view memory.main.every_hop as
select * from memory.main.hops
