-- Probes: calls of health checkers, which belong to no service. All that a row says must hold.
create table if not exists probes (
    name varchar not null,
    cidrs varchar[] not null,
    user_agent varchar,  -- how it begins
    paths varchar[] not null,  -- regular expressions over the whole path
    file varchar not null,
    line uinteger not null
);
