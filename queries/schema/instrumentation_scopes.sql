-- Instrumentation scopes: each distinct OTLP scope once, named by the digest of its bytes.
create table if not exists instrumentation_scopes (
    instrumentation_scope_id uuid not null,
    name varchar,
    version varchar,
    attributes varchar using compression zstd,  -- JSON object, null when empty
    residue blob,  -- an OTLP InstrumentationScope with just the attributes that JSON cannot hold faithfully
    dropped_attributes_count uinteger not null,
    schema_url varchar
);
