-- Issued credentials: what the authority's own log says it issued, the one witness that no service can forge.
create table if not exists issued_credentials (
    credential_sha256 varchar not null,  -- first 128 bits of the SHA-256 of a token's jti, as receivers record it, or of a certificate
    subject varchar not null,  -- the workload it was issued to
    issued_unix_nano ubigint not null,
    load_id ubigint not null,  -- which load told of it: calls that showed it before are judged again
    told_by varchar,  -- the service that the sender proved to be, or its token's name; null: nobody asked
    callee varchar  -- the service that a token is good for; null: it is a certificate
);
-- Once the settings name an authority, nobody else is believed, whenever he told.
create or replace view believed_credentials as
select *
from issued_credentials
where
    not exists (select 1 from services where issuer)
    or told_by in (select service from services where issuer);
