"""Chains and edges as Mermaid: every arrow, and no name that could be anything else."""

from __future__ import annotations

import re

import pytest
from drawn_hops import edge, hop, small_chain

from bindtrace.queries.drawing.mermaid import chain_flowchart, edges_flowchart

_LINE = re.compile(
    r"""flowchart\ LR
    |\ \ \w+\["[^"<>`]*"\](:::\w+)?
    |\ \ \w+\ (-->|==>|-\.->)\|"[^"<>`]*(<br/>[^"<>`]*)*"\|\ \w+
    |\ \ classDef\ \w+\ [\w#:,\- ]+
    |\ \ linkStyle\ [\d,]+\ [\w#:,\- ]+""",
    re.VERBOSE,
)


def test_a_chain_is_a_tree_of_nodes_and_arrows() -> None:
    lines = chain_flowchart([hop(None, "web", hop("web", "orders"))])

    assert lines[:5] == [
        "flowchart LR",
        '  r0["(external)"]:::outside',
        '  h0["web"]',
        '  r0 ==>|"binding 100ms"| h0',
        '  h1["orders"]',
    ]
    assert lines[5] == '  h0 ==>|"binding 100ms"| h1'


def test_the_critical_path_is_thick_and_an_inferred_join_is_dashed() -> None:
    beside = hop("web", "beside", at_ms=10, duration_ms=5.0, pairing="binding-header")
    awaited = hop("web", "awaited", at_ms=10, duration_ms=80.0)
    text = "\n".join(chain_flowchart([hop(None, "web", beside, awaited)]))

    assert 'h0 -.->|"binding 5.00ms<br/>joined by binding-header"| h1' in text
    assert 'h0 ==>|"binding 80.0ms"| h2' in text


def test_violations_have_their_class_and_their_arrow_its_style() -> None:
    lines = chain_flowchart([small_chain()])

    assert '  h2["stock"]:::violation' in lines
    assert lines[-1].startswith("  linkStyle 2 stroke:")


def test_edges_are_arrows_between_services_named_once() -> None:
    lines = edges_flowchart([edge("web", "orders", calls=1204), edge("web", "stock", verdict="denied")])

    assert [line for line in lines if "[" in line] == ['  s0["web"]', '  s1["orders"]', '  s2["stock"]']
    assert '  s0 -->|"1,204 calls, p95 2.00ms<br/>binding, allowed"| s1' in lines
    assert lines[-1].startswith("  linkStyle 1 stroke:")


@pytest.mark.parametrize(
    "name",
    ['"]; click h0 "javascript:alert(1)"', "<script>alert(1)</script>", "`**bold**`", "a\nb\n  h9 --> h0", "%%{init}%%",
     "#quot;", "end", "\x1b[2J", "-->|x|", "\u202egnp.exe"],
)  # fmt: skip
def test_a_name_stays_a_name(name: str) -> None:
    chain = chain_flowchart([hop(name, name, road=name, reason=name, verdict="denied")])
    edges = edges_flowchart([edge(name, f"{name}2", road=name, verdict=name)])

    assert [line for line in (*chain, *edges) if not _LINE.fullmatch(line)] == []


def test_escapes_are_those_that_mermaid_reads_back() -> None:
    assert '  s0["a#34;#38;b"]' in edges_flowchart([edge('a"&b', "orders")])
