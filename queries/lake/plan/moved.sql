-- Moved: how many spans are in the lake and not in the file, of those that this collector stored.
-- parameters: collector
-- reads: recalled, sealing (and the lake's sealed)
select
    coalesce(sum(s.spans - s.replaced_spans), 0)::bigint
    - (select coalesce(sum(spans), 0) from bindtrace.main.recalled)::bigint as spans
from lake.main.sealed as s
anti join bindtrace.main.sealing using (seal)
where s.collector = $collector
