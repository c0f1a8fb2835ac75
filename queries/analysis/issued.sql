-- Issued: what the authority's spans of the new loads say that it issued, each credential once.
-- parameters: after, upto (load ids)
-- why: a verified call whose credential the authority knows is proven, one whose it never issued is forged telemetry.
--      The name is asked first: it is a column, and the JSON of other spans is not opened.
insert into issued_credentials
select
    json_extract_string(attributes, '$."bindtrace.issued.jti_sha256"') as issued_sha256,
    any_value(json_extract_string(attributes, '$."bindtrace.issued.subject"')) as subject,
    min(start_time_unix_nano) as issued_unix_nano
from spans
where
    load_id > $after
    and load_id <= $upto
    and name = 'issue token'
    and json_extract_string(attributes, '$."bindtrace.issued.subject"') is not null
    and json_extract_string(attributes, '$."bindtrace.issued.jti_sha256"') not in (
        select credential_sha256 from issued_credentials
    )
group by issued_sha256
