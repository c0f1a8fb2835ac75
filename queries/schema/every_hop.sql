-- Every hop: all of them, where a statement has a window of its own that it calls `hops`.
-- reads: hops
create or replace view every_hop as
select * from hops
