-- Telemetry names to service names: a resource attribute with this value means this service.
create table if not exists service_matches (
    service varchar not null,
    role varchar not null,  -- service, or edge: the public front, which is folded into the calls it carries
    attribute varchar not null,
    value varchar not null
);
