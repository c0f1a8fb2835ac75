"""Span sets as common table expressions: filters, their combinations, and their relations in the tree of calls.

The tree is that of the spans and of the hops: a hop joins its caller's and its callee's span also where the spans
between are missing, so that `{a} >> {b}` finds what a tree of parents alone has lost. Nothing runs here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bindtrace.queries.traceql.conditions import Values, condition_sql
from bindtrace.queries.traceql.rows import SOURCES, judged
from bindtrace.queries.traceql.syntax import Combined, Field, Filter, Related, SpanSet, Stage

IN_WINDOW: Final = "s.start_time_unix_nano >= $since and s.start_time_unix_nano < $until"

_CHILD: Final = """
    select e.trace_id, e.child as span_id
    from {of} as one join {edges} as e on e.trace_id = one.trace_id and e.parent = one.span_id"""
_PARENT: Final = """
    select e.trace_id, e.parent as span_id
    from {of} as one join {edges} as e on e.trace_id = one.trace_id and e.child = one.span_id"""
_SIBLING: Final = """
    select other.trace_id, other.child as span_id
    from {of} as one
    join {edges} as e on e.trace_id = one.trace_id and e.child = one.span_id
    join {edges} as other on other.trace_id = e.trace_id and other.parent = e.parent and other.child <> e.child"""

# relation -> how the spans on its right are reached from its left, whether over any number of steps; and back
_STEPS: Final = {
    ">": (_CHILD, _PARENT, False),
    ">>": (_CHILD, _PARENT, True),
    "<": (_PARENT, _CHILD, False),
    "<<": (_PARENT, _CHILD, True),
    "~": (_SIBLING, _SIBLING, False),
}
_AGGREGATES: Final = {
    "count": "count(*)",
    "avg": "avg({})",
    "min": "min({})",
    "max": "max({})",
    "sum": "sum({})",
}
_OPERATORS: Final = {"=": "=", "!=": "<>", ">": ">", "<": "<", ">=": ">=", "<=": "<="}


@dataclass(slots=True)
class Tables:
    """The common table expressions of one statement, in order, with its values."""

    values: Values = field(default_factory=Values)
    _named: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, text: str) -> str:
        """Adds one under the name with a number, and returns that name."""
        numbered = f"{name}_{len(self._named)}"
        self._named.append((numbered, text))
        return numbered

    def matched(self, spans: SpanSet) -> str:
        """The name of the table of matching spans: `trace_id, span_id, start_time_unix_nano`."""
        match spans:
            case Filter(condition=condition):
                text = condition_sql(condition, self.values)
                return self.add(
                    "filtered",
                    f"select s.trace_id, s.span_id, s.start_time_unix_nano\n{self.source()}\n"
                    f"where {IN_WINDOW} and {text}",
                )
            case Combined(operator=operator, left=left, right=right):
                return self._combined(operator, self.matched(left), self.matched(right))
            case Related():
                return self._related(spans, self.matched(spans.left), self.matched(spans.right))

    def kept(self, stages: tuple[Stage, ...], spans: str) -> str:
        """The spans of traces for which the stages hold, as `| count() > 2`. Raises `TraceQLError`."""
        for stage in stages:
            if stage.name == "select":
                continue
            if stage.name not in _AGGREGATES or stage.operator is None or stage.value is None:
                raise stage.place.error(
                    f"`{stage.name}` cannot be answered here; filters are {', '.join(_AGGREGATES)} with a comparison"
                )
            spans = self._aggregated(stage, spans)
        return spans

    def source(self) -> str:
        """`from spans as s` with the rows that fields of the conditions need."""
        return "from spans as s\n" + "\n".join(
            join for row, (join, _) in SOURCES.items() if row in self.values.rows
        )

    def statement(self, select: str) -> str:
        """The whole statement that ends in `select`."""
        tables = [
            *(text for row, (_, text) in SOURCES.items() if row in self.values.rows and text),
            *judged(self.values),
            *(f"{name} as materialized (\n{text}\n)" for name, text in self._named),
        ]
        return f"with recursive {', '.join(tables)}\n{select}" if tables else select

    def _combined(self, operator: str, left: str, right: str) -> str:
        both = f"select * from {left}\nunion\nselect * from {right}"
        if operator == "||":
            return self.add("either", both)
        return self.add(
            "both",
            f"select * from ({both}) as one semi join {left} using (trace_id) semi join {right} using (trace_id)",
        )

    def _related(self, related: Related, left: str, right: str) -> str:
        sign = related.operator.lstrip("!&")
        forth, back, deep = _STEPS[sign]
        edges = self._edges(left, right)
        reached = self._reached(forth, deep, left, edges)
        if related.operator.startswith("!"):
            return self.add(
                "unrelated", f"select r.* from {right} as r anti join {reached} using (trace_id, span_id)"
            )
        hits = f"select r.* from {right} as r semi join {reached} using (trace_id, span_id)"
        if related.operator.startswith("&"):
            returned = self._reached(back, deep, right, edges)
            hits += f"\nunion\nselect l.* from {left} as l semi join {returned} using (trace_id, span_id)"
        return self.add("related", hits)

    def _edges(self, left: str, right: str) -> str:
        traces = self.add("traces", f"select trace_id from {left} intersect select trace_id from {right}")
        return self.add(
            "edges",
            f"""select s.trace_id, s.span_id as child, s.parent_span_id as parent
            from spans as s semi join {traces} using (trace_id)
            where s.parent_span_id is not null
            union
            select h.trace_id, h.callee_span_id, h.caller_span_id
            from every_hop as h semi join {traces} using (trace_id)
            where h.callee_span_id is not null and h.caller_span_id is not null""",
        )

    def _reached(self, step: str, deep: bool, of: str, edges: str) -> str:
        if not deep:
            return self.add("reached", step.format(of=of, edges=edges))
        name = f"reached_{len(self._named)}"
        again = step.format(of=name, edges=edges)
        return self.add("reached", f"{step.format(of=of, edges=edges)}\nunion\n{again}")

    def _aggregated(self, stage: Stage, spans: str) -> str:
        assert stage.value is not None
        assert stage.operator is not None
        if stage.operator not in _OPERATORS or not isinstance(stage.value.value, float):
            raise stage.place.error("compare with a number or a duration")
        number = number_sql(stage, self.values) if stage.name != "count" else ""
        source = self.source() if number else "from spans as s"
        limit = self.values.bind(stage.value.value)
        counted = self.add(
            "counted",
            f"""select trace_id from (
                select distinct s.trace_id, s.span_id{f", {number} as number" if number else ""}
                {source} semi join {spans} as m on m.trace_id = s.trace_id and m.span_id = s.span_id
                where {IN_WINDOW}
            )
            group by trace_id
            having {_AGGREGATES[stage.name].format("number")} {_OPERATORS[stage.operator]} {limit}""",
        )
        return self.add("kept", f"select m.* from {spans} as m semi join {counted} using (trace_id)")


def number_sql(stage: Stage, values: Values) -> str:
    """The field that a stage measures, as a number. Raises `TraceQLError`."""
    if not stage.arguments or not isinstance(stage.arguments[0], Field):
        raise stage.place.error(f"`{stage.name}` needs a field to measure")
    found = values.read(stage.arguments[0])
    if found.kind == "json":
        return f"try_cast(json_extract_string({found.sql}, '$') as double)"
    return found.sql if found.kind == "number" else f"try_cast({found.sql} as double)"
