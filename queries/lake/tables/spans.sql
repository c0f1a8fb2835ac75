-- Spans that were sealed, sorted by trace: of a whole trace, a file's statistics tell whether it has a part.
-- why: files are of a time of arrival, by the collector's clock: a sender's would make one for each odd date. No partitions:
--      a file's statistics prune as well, and splitting rows by day cost 7 us a span. Attributes are elided
--      (schema/elided.sql).
create table if not exists lake.main.spans as
select
    * exclude (load_id),
    null::uuid as seal,
    null::date as day
from bindtrace.main.spans
limit 0
