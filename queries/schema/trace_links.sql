-- Traces that name another trace as their chain: broken propagation, or a trace restarted at an edge.
-- why: a late half of a call re-opens the trace of its other half without a scan of history.
create table if not exists trace_links (
    chain uuid not null,  -- the trace id that the Service-Binding header claims
    trace_id uuid not null,  -- the trace in which that claim was seen
    load_id ubigint not null
);
