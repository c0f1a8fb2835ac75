-- What wrote this file: versions, checked at open.
create table if not exists meta (
    key varchar not null,
    value varchar not null
);
