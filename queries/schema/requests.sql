-- Digests of loaded requests: a re-sent request is a no-op.
-- why: OTLP clients re-send when an answer is lost; the digest is loaded in the same transaction as the rows.
create table if not exists requests (
    digest uuid not null,  -- first 128 bits of SHA-256 over sender and inflated body
    received_unix_nano ubigint not null
);
