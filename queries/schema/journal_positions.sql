-- How far each journal segment is loaded, written in the same transaction as its rows.
create table if not exists journal_positions (
    segment_id uuid not null,
    position ubigint not null  -- offset of the first byte that is not loaded
);
