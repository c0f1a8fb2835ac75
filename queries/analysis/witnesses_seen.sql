-- Witnesses seen: each distinct identity of a certificate or a verdict, to be named once (propagation/witnesses.py).
-- reads: sightings
create or replace temp table witnesses_seen as
select distinct witness
from (
    select unnest([peer_id, verified_caller]) as witness
    from sightings
    where peer_id is not null or verified_caller is not null
)
where witness is not null
