-- Macros: ids and times as every boundary shows them.
create or replace macro trace_hex(id) as replace(id::varchar, '-', '');
create or replace macro span_hex(id) as lower(lpad(to_hex(id), 16, '0'));
create or replace macro in_environment(wanted, one, other) as wanted is null or one = wanted or other = wanted;
create or replace macro ms(nano) as round(nano / 1e6, 3);
-- Of a group: the word that comes first in a list of them, the worst one first.
create or replace macro worst_of(ranks, word) as ranks[min(list_position(ranks, word))];
-- p50, p95 and p99 of a group, exact; of signed integers DuckDB 1.5.5 sorts twice as fast as of unsigned ones.
create or replace macro quantiles_of(nano) as quantile_cont(nano::bigint, [0.5, 0.95, 0.99]);
-- One number for the calls of one chain, the same in every version of DuckDB, as `hash` is not.
create or replace macro chain_key(scope, environment, services) as
    md5_number_lower(concat_ws(chr(31), coalesce(scope, ''), coalesce(environment, ''), array_to_string(services, chr(31))));
-- Istio's node id is type~address~pod.namespace~domain, and a pod is its workload with one or two hashes behind.
create or replace macro proxy_service(node) as
    case
        when node like '%~%~%~%'
        then regexp_replace(split_part(node, '~', 3), '(-[a-z0-9]{6,10})?-[a-z0-9]{5}(\.|$)', '\2')
        else node
    end;
create or replace macro first_of_each(items) as
    list_filter(items, lambda item, place: list_position(items, item) = place);
-- The /24 or /48 that an address is in: who sends from many addresses sends from one network.
create or replace macro network_of(address) as
    case
        when address like '%.%.%.%' then regexp_extract(address, '(\d+\.\d+\.\d+)\.\d+$', 1) || '.0/24'
        when address like '%:%' then array_to_string(string_split(address, ':')[1:3], ':') || '::/48'
        else address
    end;
create or replace macro own_host(address) as coalesce(regexp_matches(address, '^(127\.|::1$|localhost$)'), false);
-- Of a try that got no answer only the host is known.
create or replace macro same_callee(one, other) as
    one.callee = other.callee or (one.used_host = other.used_host and not (one.answered and other.answered));
-- As manifests write hosts: with or without port, '*.name' for any one or more labels.
create or replace macro host_matches(host, written) as
    written in (host, split_part(host, ':', 1))
    or (written like '*%' and ends_with(split_part(host, ':', 1), substr(written, 2)));
-- Two names of one caller, neither of which may speak for the other.
create or replace macro differ(one, other, delegated) as coalesce(one <> other, false) and not coalesce(delegated, false);
-- OpenTelemetry's `ot=th:` names the share of traces that is dropped, in 56 bits of which trailing zeros are left out.
create or replace macro sampling_share(trace_state) as
    case
        when trace_state like '%th:%'
        then 1 - ('0x' || rpad(regexp_extract(trace_state, 'ot=[^,]*th:([0-9a-f]{1,14})', 1), 14, '0'))::ubigint / 72057594037927936
    end;
-- How sure silence makes: of what may have gone unseen, 3 / share is the most at 95 % (the rule of three).
create or replace macro sure_by_share(share) as
    case when share >= 1 then 'confirmed' when share >= 0.5 then 'probable' when share > 0 then 'suspected' end;
create or replace macro share_in_words(share, seen) as
    case
        when share >= 1 then 'every trace was kept'
        when share > 0 then format(
            '{:.0f} % of the traces were kept, so up to {} {} may have gone unseen (95 % sure)',
            share * 100, ceil(3 / share - 1e-6)::integer, seen
        )
        else 'how many of its traces are kept is not known'
    end;
create or replace macro host_is_address(host) as
    coalesce(
        regexp_full_match(host, '\d{1,3}(\.\d{1,3}){3}(:\d+)?|\[?[0-9a-f.]*:[0-9a-f.]*:[0-9a-f.:]*\]?(:\d+)?'),
        false
    );
-- The evidence of a call that was seen by nothing but the spans that it joins; its anchor is the callee's, if there is one.
create or replace macro spans_of(answered, caller_span_id, anchor_span_id) as
    case when answered and caller_span_id is not null then [caller_span_id, anchor_span_id] else [anchor_span_id] end;
-- A cf-ray header is the id of the request and the place that took it; Cloudflare's own telemetry has the id alone.
create or replace macro request_key(id) as regexp_replace(id, '^([0-9a-f]{16})-[A-Z]{3}$', '\1');
-- The trace that came to an edge which began another, as the span link that its tracer could not set (Envoy).
create or replace macro links_with_edge(links, traceparent) as
    coalesce(
        links,
        case
            when regexp_full_match(traceparent, '[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?')
            then json_array({'trace_id': traceparent[4:35], 'span_id': traceparent[37:52]})
        end
    );
-- Who a sender proved to be: of a workload its service, else what its token or certificate is called.
create or replace macro exporter_service(exporter) as
    coalesce(nullif(regexp_extract(exporter, '^spiffe://.*/service/([^/]+)/deployment/[^/]+$', 1), ''), exporter);
create or replace macro exporter_environment(exporter) as
    nullif(regexp_extract(exporter, '^spiffe://.*/env/([^/]+)/service/[^/]+/deployment/[^/]+$', 1), '');
-- RFC 6901: in a path with quotes, a key that holds a quote is an error.
create or replace macro json_pointer(key) as '/' || replace(replace(key, '~', '~0'), '/', '~1');
