-- Sealing: the seal that is being written into the lake, if any: traces of which no load after `upto_load_id` has a span.
-- why: no transaction spans two databases. This row comes first and goes with the rows that were sealed, so whoever finds
--      it knows from the lake whether they are there (queries/lake/sealing.py), and readers leave them out until then.
create table if not exists sealing (
    seal uuid not null,
    upto_load_id ubigint not null
);
