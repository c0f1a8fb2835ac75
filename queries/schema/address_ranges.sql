-- Address ranges whose class is declared, as an address does not show it.
create table if not exists address_ranges (
    cidr varchar not null,
    kind varchar not null,  -- internal, public, or egress: what the outside sees calls of `service` come from
    service varchar,
    file varchar not null,
    line uinteger not null
);
