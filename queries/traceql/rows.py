"""What a condition reads beside the span: its resource, its scope, its trace, the judgement of its call. Text only."""

from __future__ import annotations

from typing import Final

from bindtrace.queries.rules import RULES, flagged
from bindtrace.queries.traceql.conditions import Values
from bindtrace.queries.traceql.fields import Row

_RESOURCES: Final = """resources_named as materialized (
    select n.resource_id, coalesce(n.service, 'unknown_service') as service, n.scope, n.environment, n.deployment,
        r.attributes
    from identities as n join resources as r using (resource_id)
)"""
_TRACES: Final = """traces_seen as materialized (
    select
        s.trace_id,
        max(s.end_time_unix_nano)::hugeint - min(s.start_time_unix_nano) as duration_nano,
        arg_min(s.name, s.start_time_unix_nano) filter (s.parent_span_id is null) as root_name,
        arg_min(coalesce(n.service, 'unknown_service'), s.start_time_unix_nano)
            filter (s.parent_span_id is null) as root_service
    from spans as s join identities as n using (resource_id)
    where s.start_time_unix_nano >= $since and s.start_time_unix_nano < $until
    group by s.trace_id
)"""

SOURCES: Final[dict[Row, tuple[str, str]]] = {
    "r": ("join resources_named as r using (resource_id)", _RESOURCES),
    "c": ("left join instrumentation_scopes as c using (instrumentation_scope_id)", ""),
    "t": ("join traces_seen as t on t.trace_id = s.trace_id", _TRACES),
    "j": ("left join judged as j on j.trace_id = s.trace_id and j.span_id = s.span_id", ""),
}
"""How each row is joined to the span, and the table that it comes from."""

# a rule reads `hops` as its window, and a call is older than the spans of it that are asked for
WINDOW: Final = """hops as (
    select * from every_hop
    where start_time_unix_nano >= $since and start_time_unix_nano < $until
)"""
_JUDGED: Final = """judged as materialized (
    select h.trace_id, unnest(h.evidence) as span_id, h.road, h.verdict, h.reason, h.grade, f.rule as finding
    from hops as h {flags}
)"""


def judged(values: Values) -> list[str]:
    """The tables behind `j`, where a condition reads it: the calls of the window, with the rules they break."""
    if "j" not in values.rows:
        return []
    if not values.findings & set(RULES):
        return [WINDOW, _JUDGED.format(flags="cross join (select null::varchar as rule) as f")]
    return [
        WINDOW,
        f"flagged as materialized (\n{flagged(values.findings)}\n)",
        _JUDGED.format(flags="left join flagged as f using (trace_id, anchor_span_id, answered)"),
    ]
