-- Senders: what became of the spans of each sender, as receivers and loader counted it; sums are what is asked.
-- why: nothing is rejected in silence; append only, so that counting never waits for a writer.
create table if not exists senders (
    service varchar not null,
    sdk varchar,
    version varchar,  -- of the SDK
    protocol varchar not null,  -- grpc, http, zipkin, import
    what varchar not null,  -- accepted, stored, rejected, refused, redacted, duplicates, conflicts, quarantined, quirks
    reason varchar not null,  -- '' where there is none
    spans ubigint not null,  -- or requests, values or occurrences, where the word counts those
    last_seen_unix_nano ubigint not null
);
