from __future__ import annotations

import pytest

from bindtrace.propagation.bindings import Resolved, table_of


def test_a_variable_that_ends_in_url_is_a_binding_to_an_unknown_callee() -> None:
    table = table_of({"LEDGER_URL": "http://127.0.0.1:9106"})

    assert table.resolve("http://127.0.0.1:9106/entries?x=1") == Resolved("LEDGER_URL", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://db/shop"),
        ("VERCEL_URL", "https://shop.vercel.app"),
        ("VERCEL_BRANCH_URL", "https://shop.vercel.app"),
        ("OTEL_EXPORTER_URL", "https://shop.vercel.app"),
        ("BINDTRACE_URL", "https://shop.vercel.app"),
        ("NEXT_PUBLIC_API_URL", "https://shop.vercel.app"),
        ("HTTPS_PROXY", "https://shop.vercel.app"),
        ("LEDGER_URL", "shop.vercel.app"),
        ("LEDGER_URL", "/entries"),
        ("LEDGER_URL", "http://[broken"),
        ("LEDGER_HOME", "https://shop.vercel.app"),
    ],
)
def test_other_variables_are_no_bindings(name: str, value: str) -> None:
    assert table_of({name: value}).rows == ()


def test_bindtrace_bindings_names_variables_and_callees_exactly() -> None:
    table = table_of(
        {
            "BINDTRACE_BINDINGS": " LEDGER=ledger , STOCK, GONE=gone,",
            "LEDGER": "http://l",
            "STOCK": "http://s",
            "OTHER_URL": "http://o",
        }
    )

    assert table.resolve("http://l/") == Resolved("LEDGER", "ledger")
    assert table.resolve("http://s") == Resolved("STOCK", None)
    assert table.resolve("http://o") is None


def test_the_longest_path_wins_and_only_on_a_segment_boundary() -> None:
    table = table_of({"A_URL": "http://h/", "B_URL": "http://h/pay", "C_URL": "http://h/pay/card/"})

    assert table.resolve("http://h/pay/card/7") == Resolved("C_URL", None)
    assert table.resolve("http://h/pay/cards") == Resolved("B_URL", None)
    assert table.resolve("http://h/payment") == Resolved("A_URL", None)
    assert table.resolve("http://h/pay?x") == Resolved("B_URL", None)


def test_scheme_host_and_port_are_compared_with_defaults_and_without_case() -> None:
    table = table_of({"A_URL": "https://user:secret@Ledger.Internal:443/v1"})

    assert table.resolve("https://ledger.internal/v1/x") == Resolved("A_URL", None)
    assert table.resolve("http://ledger.internal/v1/x") is None
    assert table.resolve("https://ledger.internal:8443/v1") is None
    assert table.resolve("https://ledger.internal.evil.example/v1") is None
    assert "secret" not in repr(table)


def test_of_two_variables_with_one_url_the_one_with_a_callee_is_taken() -> None:
    table = table_of({"BINDTRACE_BINDINGS": "A,B=ledger", "A": "http://h", "B": "http://h"})

    assert table.resolve("http://h") == Resolved("B", "ledger")


@pytest.mark.parametrize("url", ["", "ledger", "http://", "http://h:99999", "http://[x", "ftp://h", "\x00"])
def test_what_is_no_url_resolves_to_nothing(url: str) -> None:
    assert table_of({"A_URL": "http://h"}).resolve(url) is None
