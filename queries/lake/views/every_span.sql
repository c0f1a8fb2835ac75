-- Every span: all of them, where a statement has a window of its own that it calls `spans`.
-- reads: spans
create or replace view memory.main.every_span as
select * from memory.main.spans
