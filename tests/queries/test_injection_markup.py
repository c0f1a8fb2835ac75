"""T22: texts that want to be markup are text on every page, in every picture and report: judged by a DOM parser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile import XSS, sample
from injecting import INNOCENT, database
from markup_seen import SAFE_ADDRESS, Dom, documents

from bindtrace.queries import cells

PAYLOADS = sample(XSS, 5)
PLAIN = [f"name {number}" for number in range(len(PAYLOADS))]


@pytest.fixture(scope="module")
def plain() -> Iterator[list[Dom]]:
    con = database(PLAIN, declared=True)
    yield [Dom(document) for document in documents(con, len(PAYLOADS))]
    con.close()


@pytest.fixture(scope="module")
def hostile() -> Iterator[list[str]]:
    con = database(PAYLOADS, declared=True)
    yield documents(con, len(PAYLOADS))
    con.close()


def test_no_element_and_no_attribute_comes_from_a_payload(plain: list[Dom], hostile: list[str]) -> None:
    for before, document in zip(plain, hostile, strict=True):
        found = Dom(document)

        assert {kind for kind in found.kinds if kind[0] != "tspan"} <= before.kinds
        assert found.others == before.others
        assert all(SAFE_ADDRESS.match(address) for address in found.addresses), found.addresses


def test_every_payload_is_there_as_text(hostile: list[str]) -> None:
    said = "".join(Dom(document).said for document in hostile)

    for payload in (*PAYLOADS, *INNOCENT):
        assert cells.visible(payload) in said, payload
