-- Linked: traces that point at another trace by a span link or by the request id of their roots.
-- parameters: after, upto (load ids)
-- why: whichever half of such a call comes last must find the other. The loader notes the claims of the
--      Service-Binding header; what takes JSON or is rare is noted here.
insert into trace_links
select distinct
    coalesce(
        try_cast(json_extract_string(link, '$.trace_id') as uuid),
        md5(request_id)::uuid
    ) as chain,
    trace_id,
    load_id
from (
    select trace_id, load_id, unnest(json_extract(links, '$[*]')) as link, null as request_id
    from spans
    where load_id > $after and load_id <= $upto and links is not null and kind in (2, 5)
    union all
    select trace_id, load_id, null, request_id
    from spans
    where load_id > $after and load_id <= $upto and request_id is not null and parent_span_id is null
)
where chain is not null and chain <> trace_id
