-- Hops that were sealed, those of a chain together.
-- why: Parquet has no integer of 128 bits; a decimal has all digits of one.
create table if not exists lake.main.hops as
select
    * exclude (load_id)
    replace (corrected_start_unix_nano::decimal(38, 0) as corrected_start_unix_nano),
    null::uuid as seal,
    null::date as day
from bindtrace.main.hops
limit 0
