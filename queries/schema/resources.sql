-- Resources: each distinct OTLP resource once, named by the digest of its bytes.
-- why: a span carries 16 bytes instead of half a dozen attributes, and a service is named in one place.
create table if not exists resources (
    resource_id uuid not null,
    attributes varchar using compression zstd,  -- JSON object, null when empty
    residue blob,  -- an OTLP Resource with just the attributes that JSON cannot hold faithfully
    dropped_attributes_count uinteger not null,
    schema_url varchar,
    load_id ubigint not null,
    -- concepts: propagation/concepts.py, RESOURCE_CONCEPTS
    service varchar,
    scope varchar,
    environment varchar,
    deployment varchar,
    platform varchar,
    sdk varchar,
    hosts varchar
);
