-- Issued: what the authority's spans of these loads say that it issued, kept for the calls that show it later.
-- parameters: after, upto (load ids)
-- reads: spans, instrumentation_scopes, resources
-- only where: select 1 from instrumentation_scopes where name = 'bindtrace.authority'
-- why: a span's verdict is one service's word; that the credential was ever issued is another's.
insert into issued_credentials
select
    told.credential_sha256,
    any_value(told.subject),
    min(told.issued_unix_nano),
    min(told.load_id),
    told.told_by,
    any_value(told.callee)
from (
    select
        coalesce(
            json_extract_string(s.attributes, '$."bindtrace.issued.jti_sha256"'),
            -- as of a token: the first 128 bits
            left(json_extract_string(s.attributes, '$."bindtrace.issued.cert_sha256"'), 32)
        ) as credential_sha256,
        json_extract_string(s.attributes, '$."bindtrace.issued.subject"') as subject,
        json_extract_string(s.attributes, '$."bindtrace.issued.callee"') as callee,
        s.start_time_unix_nano as issued_unix_nano,
        s.load_id,
        exporter_service(json_extract_string(r.attributes, '$."bindtrace.exporter"')) as told_by
    from spans as s
    join instrumentation_scopes as i using (instrumentation_scope_id)
    join (select distinct on (resource_id) resource_id, attributes from resources) as r using (resource_id)
    where s.load_id > $after and s.load_id <= $upto
        and i.name = 'bindtrace.authority'
        and s.name in ('issue token', 'issue certificate')
) as told
anti join issued_credentials as known
    on known.credential_sha256 = told.credential_sha256 and known.told_by is not distinct from told.told_by
where told.credential_sha256 is not null and told.subject is not null
group by told.credential_sha256, told.told_by
