-- Issued credentials: what the authority's own log says it issued, the one witness that no service can forge.
create table if not exists issued_credentials (
    credential_sha256 varchar not null,  -- first 128 bits of the SHA-256 of a token's jti, as receivers record it, or of a certificate
    subject varchar not null,  -- the workload it was issued to
    issued_unix_nano ubigint not null,
    load_id ubigint not null  -- which load told of it: calls that showed it before are judged again
);
