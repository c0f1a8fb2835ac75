"""TraceQL as Grafana's builder, its service graph and Traces Drilldown write it, and what is said of mistakes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindtrace.queries.traceql.parse import MAX_CHARACTERS, parse, parse_field
from bindtrace.queries.traceql.syntax import (
    Combined,
    Compare,
    Field,
    Filter,
    Logic,
    Related,
    TraceQLError,
    Value,
)

EMITTED = [
    "{}",
    '{resource.service.name="cart"}',
    '{resource.service.name="cart" && resource.service.namespace="shop"}',
    '{span.db.name="x" || span.db.system="x" || span.peer.service="x" || span.net.peer.name="x"}',
    '{span.http.method="GET" && duration>100ms && status=error && kind=server}',
    '{(span.x="a" || span.x="b") && (span.y!="a" && span.y!="b") && span.z=~"a|b"}',
    "{duration>=1.5s && span.retry=true && span.http.status_code>=500}",
    '{name="GET /" && statusMessage!="" && traceDuration>1s && rootName="r" && rootServiceName="s"}',
    '{span:name="a" && span:kind=client && trace:duration>1ms && event:name="e" && instrumentation:name="i"}',
    "{nestedSetParent<0 && true} | rate() by(resource.service.name)",
    "{nestedSetParent<0 && span.x != nil} | quantile_over_time(duration, 0.9) by (span.x) with(sample=true)",
    "{status=error} | histogram_over_time(duration) with(most_recent=true)",
    '{true} &>> {kind=server} | select(status, span."odd key")',
    '({span.a="x"} && {span.b="y"}) || {span.c="z"}',
    "{.http.method=`GET`} >> {status=error} > {kind=client}",
]


@pytest.mark.parametrize("text", EMITTED)
def test_what_grafana_emits_is_read(text: str) -> None:
    assert parse(text).spans is not None


def test_a_comparison_says_field_operator_and_value() -> None:
    query = parse('{ span.http.method = "GE\\"T" }')

    assert isinstance(query.spans, Filter)
    assert isinstance(query.spans.condition, Compare)
    compare = query.spans.condition
    assert (compare.field.scope, compare.field.name) == ("span", "http.method")
    assert (compare.operator, compare.value.kind, compare.value.value) == ("=", "string", 'GE"T')


def test_a_value_on_the_left_is_turned_around() -> None:
    query = parse("{ 1h30m < duration }")

    assert isinstance(query.spans, Filter)
    assert isinstance(query.spans.condition, Compare)
    assert query.spans.condition.operator == ">"
    assert query.spans.condition.value.value == 5_400e9


def test_and_and_or_bind_equally_to_the_left_as_in_tempo() -> None:
    query = parse("{ .a = 1 || .b = 2 && .c = 3 }")

    assert isinstance(query.spans, Filter)
    assert isinstance(query.spans.condition, Logic)
    assert query.spans.condition.operator == "&&"


def test_a_relation_binds_tighter_than_a_combination() -> None:
    query = parse("{} && {} >> {}")

    assert isinstance(query.spans, Combined)
    assert isinstance(query.spans.right, Related)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{ span.x = ", "line 1, column 12: the query ends too early"),
        ("{ span.x == 1 }", "line 1, column 11: `= 1 }` is not expected here"),
        ("{} | compare({status=error})", "line 1, column 14"),
        ("{ parent.x = 1 }", "line 1, column 3: `parent.` attributes cannot be asked for"),
        ('{ "a" = "b" }', "line 1, column 7: compare one field with one value"),
        ("{ 5 }", "line 1, column 3: a value alone is no condition"),
        ("{\n\n  ?? }", "line 3, column 3"),
        ("{" * 200, "more than 64"),
        ("{}" + " " * MAX_CHARACTERS, "is longer than"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(TraceQLError) as raised:
        parse(text)

    assert message in str(raised.value)


@given(st.text(alphabet='{}()|&=~!<>.", abspn019\\`\n', max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else_happens(text: str) -> None:
    with contextlib.suppress(TraceQLError):
        parse(text)


@pytest.mark.parametrize(
    ("tag", "scope", "name"),
    [
        ("resource.service.name", "resource", "service.name"),
        (".foo/bar-baz", "any", "foo/bar-baz"),
        ('span."a b"', "span", "a b"),
        ("status", "intrinsic", "status"),
        ("span:name", "intrinsic", "span:name"),
    ],
)
def test_a_tag_is_a_field(tag: str, scope: str, name: str) -> None:
    field = parse_field(tag)

    assert isinstance(field, Field)
    assert (field.scope, field.name) == (scope, name)


def test_a_tag_cannot_carry_a_query() -> None:
    with pytest.raises(TraceQLError):
        parse_field("name = 1 || span.x")


def test_nil_is_a_value() -> None:
    query = parse("{ .x != nil }")

    assert isinstance(query.spans, Filter)
    assert isinstance(query.spans.condition, Compare)
    assert query.spans.condition.value == Value("nil", None, query.spans.condition.value.place)
