-- Linked: traces that point at another trace by a span link, by the request id of their roots, or by a proof.
-- parameters: after, upto (load ids)
-- reads: spans
-- why: whichever half of such a call comes last must find the other. The loader notes the claims of the
--      Service-Binding header; what takes JSON or is rare is noted here. A proof is noted where its request began a
--      trace, and where a caller signed one that is noted already (`open_proofs` notes those whose callee is not there).
insert into trace_links
select distinct
    coalesce(
        try_cast(json_extract_string(link, '$.trace_id') as uuid),
        md5(key)::uuid
    ) as chain,
    trace_id,
    load_id
from (
    select
        trace_id, load_id, unnest(json_extract(links_with_edge(links, edge_traceparent), '$[*]')) as link, null as key
    from spans
    where
        load_id > $after
        and load_id <= $upto
        and (links is not null or edge_traceparent is not null)
        and kind in (2, 5)
    union all
    select trace_id, load_id, null, request_key(request_id)
    from spans
    where load_id > $after and load_id <= $upto and request_id is not null and parent_span_id is null
    union all
    select trace_id, load_id, null, proof_sha256
    from spans
    where load_id > $after and load_id <= $upto and proof_sha256 is not null and kind = 2 and parent_span_id is null
    union all
    select trace_id, load_id, null, proof_sha256
    from (
        select trace_id, load_id, proof_sha256, md5(proof_sha256)::uuid as chain
        from spans
        where load_id > $after and load_id <= $upto and proof_sha256 is not null and kind = 3
    ) as signed
    semi join trace_links using (chain)
)
where chain is not null and chain <> trace_id
