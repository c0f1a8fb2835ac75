-- Chain depth: a chain has more hops than its manifest allows, or than anybody would expect.
-- severity: low
-- category: reliability
-- status: preview, since 0.1
-- reads: hops, manifests
-- concerns: depth = (select coalesce(min(max_hops), 16) from manifests where in_force_until_unix_nano is null)
-- message: the chain {way} has more than {limit} hops; {caller} → {callee} is the first hop beyond.
-- why: each hop adds its latency and its failures, and a loop between services looks just like this.
-- fix: look for a loop in the chain, or set `max_hops` in bindtrace.toml to what is meant.
-- check: bindtrace findings --rule chain-depth --caller {caller} --callee {callee} --since 10m
-- may be wrong when: the chain is that long on purpose.
with allowed as (
    select coalesce(min(max_hops), 16) as hops from manifests where in_force_until_unix_nano is null
)
select
    h.trace_id,
    h.anchor_span_id,
    h.answered,
    null as severity,
    h.grant_file as file,
    h.grant_line as line,
    json_object('way', array_to_string(h.path, ' → '), 'limit', allowed.hops) as evidence
from hops as h
join allowed on h.depth = allowed.hops
