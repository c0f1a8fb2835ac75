"""The waterfall of one chain, and chains of the same beginning as branches."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from bindtrace.queries.tree import (
    BAR_CELLS,
    Frame,
    bar,
    chain_tree,
    chain_tree_with_legend,
    chains_tree,
    flatten,
    frame_of,
)

START = 1_790_000_000_000_000_000


def hop(caller: str | None, callee: str, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    at_ms = more.pop("at_ms", 0)
    return {
        "trace_id": "ab" * 16, "caller": caller, "callee": callee, "kind": "call", "road": "binding",
        "protection": "unknown", "verdict": "allowed", "reason": "declared", "grade": "claimed", "pairing": "parent",
        "start_time_unix_nano": str(START + at_ms * 1_000_000), "duration_ms": 100.0, "error": False, "attempts": 1,
        "binding": None, **more, "children": list(children),
    }  # fmt: skip


def drawn(renderable: RenderableType) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=300, color_system=None).print(renderable)
    return [line.rstrip() for line in text.getvalue().splitlines()]


CHAIN = hop(
    None,
    "web",
    hop("web", "orders", hop("orders", "stock", at_ms=20, duration_ms=10.0), at_ms=10, duration_ms=50.0),
    hop("web", "catalog", at_ms=70, duration_ms=30.0),
    pairing="none",
)


def test_callees_hang_below_their_callers() -> None:
    names = [line[:22].rstrip() for line in drawn(chain_tree([CHAIN]))]

    assert names == ["HOP", "(external) → web", "├─ web → orders", "│  └─ orders → stock", "└─ web → catalog"]


def test_a_join_that_is_not_by_parent_is_dashed_and_says_how() -> None:
    lines = drawn(chain_tree([hop("web", "orders", pairing="binding-header")]))

    assert "web ⇢ orders" in lines[1]
    assert "binding-header" in lines[1]


def test_an_entry_without_a_caller_is_not_called_a_doubtful_join() -> None:
    assert "⇢" not in "".join(drawn(chain_tree([CHAIN])))


def test_mtls_errors_and_attempts_are_marked_and_the_legend_says_so() -> None:
    marked = hop("web", "orders", protection="mtls", error=True, attempts=3)

    tree, legend = chain_tree_with_legend([marked])

    assert "web → orders 🔒 ×3 ✗" in drawn(tree)[1]
    assert all(mark in legend for mark in ("🔒", "✗", "×n"))
    assert not any(mark in chain_tree_with_legend([hop("a", "b")])[1] for mark in ("🔒", "✗", "×n", "⇢"))


def test_the_legend_tells_of_no_column_that_the_terminal_has_no_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hops = [hop("web", "orders-of-a-long-name", pairing="binding-header", reason="caller_unknown")]
    wide = chain_tree_with_legend(hops)[1]
    monkeypatch.setenv("COLUMNS", "70")

    narrow = chain_tree_with_legend(hops)[1]

    assert "joined as PAIRING says" in wide
    assert "▕█━▏ when" in wide
    assert narrow == "⇢ joined by less than its parent span"


@pytest.mark.parametrize(
    ("at_ms", "duration_ms", "text"),
    [(0, 100, "█" * 20), (0, 50, "█" * 10 + " " * 10), (50, 50, " " * 10 + "█" * 10), (0, 0, "▌" + " " * 19),
     (100, 0, " " * 19 + "▐")],
)  # fmt: skip
def test_a_bar_lies_where_the_hop_was(at_ms: int, duration_ms: int, text: str) -> None:
    row = hop("a", "b", at_ms=at_ms, duration_ms=float(duration_ms))

    assert bar(row, Frame(START, 100_000_000)) == f"▕{text}▏"


def test_bars_stay_in_their_frame_when_clocks_disagree() -> None:
    early = hop("web", "orders", at_ms=-500, duration_ms=10_000.0)
    rows = flatten([hop(None, "web", early)])

    assert all(len(bar(row, frame_of(rows))) == BAR_CELLS + 2 for row in rows)


def test_the_frame_of_hops_without_length_is_not_empty() -> None:
    assert frame_of([hop("a", "b", duration_ms=0.0)]).length_nano == 1


def test_flattened_hops_carry_their_depth_and_no_children() -> None:
    flat = flatten([CHAIN])

    assert [(row["callee"], row["depth"]) for row in flat] == [
        ("web", 0),
        ("orders", 1),
        ("stock", 2),
        ("catalog", 1),
    ]
    assert not any("children" in row for row in flat)


def test_a_name_cannot_move_the_cursor_of_the_tree() -> None:
    assert "\x1b" not in "".join(drawn(chain_tree([hop("web", "or\x1b[2Jders")])))


def chain(*signature: str, calls: int, scope: str = "shop") -> dict[str, Any]:
    return {"signature": list(signature), "calls": calls, "scope": scope}


def test_chains_share_their_beginning() -> None:
    rows = [chain("web", "orders", "stock", calls=3), chain("web", calls=5), chain("web", "catalog", calls=2)]
    lines = drawn(chains_tree(rows))[1:]

    assert [line.split()[-1] for line in lines] == ["5", "2", "orders", "3"]
    assert [
        line.index(name) for line, name in zip(lines, ("web", "catalog", "orders", "stock"), strict=True)
    ] == [0, 3, 3, 6]


def test_the_same_path_in_two_scopes_is_two_trees() -> None:
    rows = [chain("web", "orders", calls=3), chain("web", "orders", calls=4, scope="other")]
    lines = drawn(chains_tree(rows))[1:]

    assert [line.split()[-1] for line in lines] == ["web", "3", "web", "4"]
