-- Every span: all of them, where a statement has a window of its own that it calls `spans`.
-- reads: spans
create or replace view every_span as
select * from spans
