-- Behind: the traces of seals that the file knows nothing of: it is older than its lake, as a restored copy is.
-- parameters: collector, known (Unix nanoseconds of the newest seal that it knows)
create or replace temp table closing as
select distinct spans.trace_id, false as again
from lake.main.spans as spans
semi join (
    select seal from lake.main.sealed where collector = $collector and sealed_unix_nano > $known
) as newer using (seal)
