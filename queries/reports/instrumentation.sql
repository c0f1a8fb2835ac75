-- Instrumentation: by service and kind of sender, whether what it sends says by which binding calls come and go.
-- parameters: since, until
-- reads: spans, resources, instrumentation_scopes, service_matches
-- why: `bindtrace doctor` names the lines to add, and they differ by sender; the window is that of receipt.
with named as (
    select
        r.resource_id,
        coalesce(any_value(m.service), any_value(r.service), 'unknown_service') as service,
        any_value(r.attributes ->> '$."telemetry.sdk.language"') as language,
        case
            when any_value(r.sdk) = 'cloudflare' or starts_with(any_value(r.platform), 'cloudflare') then 'cloudflare'
            -- @vercel/otel and Vercel's own spans have no telemetry.sdk.* (seen: 2.1.3)
            when any_value(r.platform) = 'vercel' or json_exists(any_value(r.attributes), '$."vercel.projectId"')
            then 'vercel'
        end as platform,
        any_value(r.sdk) = 'envoy' as envoy,
        json_exists(any_value(r.attributes), '$."istio.mesh_id"') as istio
    from resources as r
    left join service_matches as m on json_extract_string(r.attributes, json_pointer(m.attribute)) = m.value
    group by r.resource_id
)
select
    n.service,
    case
        when s.proxy_node like '%~%~%~%' or (n.istio and n.envoy) then 'istio'
        when s.component = 'proxy' or n.envoy then 'envoy'
        when n.language is not null and n.platform is distinct from 'cloudflare' then n.language
        when n.platform is not null then n.platform
        when starts_with(i.name, '@vercel/otel') then 'vercel'
        else 'unknown'
    end as sender,
    count(*) as spans,
    count(*) filter (
        s.claimed_caller is not null or s.binding_name is not null or s.claimed_chain is not null
    ) as with_binding
from spans as s
join named as n using (resource_id)
left join instrumentation_scopes as i using (instrumentation_scope_id)
where s.received_unix_nano >= $since and s.received_unix_nano < $until
group by all
order by n.service, spans desc, sender
