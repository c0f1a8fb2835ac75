-- Host names that are known to be a service's, or the public edge's.
create table if not exists hosts (
    host varchar not null,  -- lower case host or host:port; '*' matches any text: '*.name', 'worker.*.workers.dev'
    service varchar,  -- null: the edge itself, which leads to many services
    road varchar not null,  -- private: an internal name; public: a public one
    platform varchar not null,  -- '': none
    scope varchar not null,  -- '': any
    environment varchar,  -- null: any
    file varchar not null,
    line uinteger not null
);
