"""T3: SPIFFE ids, by the standard's cases, by an oracle of another shape, and by confusions of prefixes."""

from __future__ import annotations

import json
import random
import string
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import fixture

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity.spiffe import (
    Service,
    SpiffeId,
    Workload,
    parse,
    parse_service,
    parse_workload,
)

ORDERS = Workload("shop.example", "p1", "production", "orders", "d1")
PLAIN = set(string.ascii_letters + string.digits + "._-")


def test_ids_are_valid_as_the_cases_of_go_spiffe_say() -> None:
    cases = json.loads(fixture("spiffe/spiffe-id-cases.json").read_text())

    for case in cases["valid"]:
        path = tuple(case["path"].split("/")[1:])
        assert parse(case["input"]) == SpiffeId(case["trust_domain"], path)
    for case in cases["invalid"]:
        assert isinstance(parse(case["input"]), Absent), case


def oracle(text: str) -> bool:
    """The grammar once more, by Python's URL parser and sets of letters."""
    url = urlsplit(text)
    rebuilt = f"spiffe://{url.netloc}{url.path}"
    segments = url.path.split("/")[1:]
    return (
        text == rebuilt
        and len(text) <= 2048
        and 0 < len(url.netloc) <= 255
        and set(url.netloc) <= PLAIN - set(string.ascii_uppercase)
        and (url.path == "" or all(s and set(s) <= PLAIN and s not in (".", "..") for s in segments))
    )


def test_twenty_thousand_mutated_ids_are_judged_as_by_the_oracle() -> None:
    dice = random.Random(6)
    seeds = [str(ORDERS), str(ORDERS.of_service), "spiffe://a", "spiffe://a.b_c-9/x/y"]
    letters = string.ascii_letters + string.digits + "._-/%:?#@[] \\\0é\u202e"

    def mutate(text: str) -> str:
        for _ in range(dice.randint(1, 3)):
            place = dice.randrange(len(text) + 1)
            text = dice.choice(
                (
                    text[:place] + dice.choice(letters) + text[place:],
                    text[:place] + text[place + 1 :],
                    text[:place] + text[place:].upper(),
                    text[:place] + dice.choice(("/", "//", "/..", "/.", "%2f", "?a=b", "#f", ":80", "u@")),
                )
            )
        return text

    accepted = 0
    for _ in range(20_000):
        text = mutate(dice.choice(seeds))
        try:
            expected = oracle(text)
        except ValueError:  # an unclosed bracket
            expected = False
        assert isinstance(parse(text), SpiffeId) == expected, text
        accepted += expected
    assert accepted > 2_000


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_absent(text: str) -> None:
    for read in (parse, parse_workload, parse_service):
        assert str(read(text)) == text or isinstance(read(text), Absent)


def test_own_ids_survive_writing_and_reading() -> None:
    assert parse_workload(str(ORDERS)) == ORDERS
    assert parse_service(str(ORDERS.of_service)) == ORDERS.of_service


def test_a_service_id_is_no_workload_id_and_the_reverse() -> None:
    assert parse_workload(str(ORDERS.of_service)) == Absent("arity")
    assert parse_service(str(ORDERS)) == Absent("arity")


@pytest.mark.parametrize(
    "other",
    [
        "spiffe://shop.example/project/p1/env/production/service/orders2",
        "spiffe://shop.example/project/p1/env/production/service/order",
        "spiffe://shop.example.evil/project/p1/env/production/service/orders",
        "spiffe://hop.example/project/p1/env/production/service/orders",
        "spiffe://shop.example/project/p1/env/production/service/orders/service/orders",
        "spiffe://shop.example/project/p1/env/production/service/Orders",
        "spiffe://shop.example/project/p1/env/preview/service/orders",
        "spiffe://shop.example/project/p1/env/production/service/orders/",
        "spiffe://shop.example/project/p1/env/production/service/../service/orders",
        "spiffe://shop.example/env/production/project/p1/service/orders",
    ],
)
def test_an_id_that_looks_like_another_is_not_it(other: str) -> None:
    assert parse_service(other) != ORDERS.of_service


def test_own_ids_are_shorter_than_those_of_the_standard() -> None:
    long = str(Service("a", "p", "e", "s" * 600))

    assert isinstance(parse(long), SpiffeId)
    assert parse_service(long) == Absent("too_long")
