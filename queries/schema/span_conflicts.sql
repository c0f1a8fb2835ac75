-- Span conflicts: spans that came more than once, from the same service and not the same.
-- why: the first one is kept; that another said something else is counted by sender, and never silent.
create table if not exists span_conflicts (
    trace_id uuid not null,
    span_id ubigint not null,
    resource_id uuid not null,  -- of the one that was kept
    received_unix_nano ubigint not null
);
