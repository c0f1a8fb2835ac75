"""The JavaScript codec and binding table against the vectors of any language, and against Python's own answers."""

from __future__ import annotations

import json
import random
import shutil
import string
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bindtrace.propagation import bindings, concepts, vocabulary
from bindtrace.propagation.absent import Absent
from bindtrace.propagation.binding_header import Binding, parse, serialize
from bindtrace.propagation.bindings import table_of

HERE = Path(__file__).parent
MODULE = HERE.parents[1] / "propagation" / "js" / "service-binding.mjs"
VECTORS = tomllib.loads((HERE.parent / "vectors" / "service_binding.toml").read_text("utf-8"))
WHOLE = 'a.b;caller="a\\"b";callee="b";env="production";chain="5b8efff798038103d269b633813fc60c";hop=2'
VARIABLES = {
    "LEDGER_URL": "http://ledger.internal", "CARDS_URL": "http://h/pay/card/", "PAY_URL": "http://h/pay",
    "ROOT_URL": "http://h/", "DATABASE_URL": "postgresql://db/shop", "VERCEL_URL": "https://shop.example",
    "NEXT_PUBLIC_API_URL": "https://api.example", "BROKEN_URL": "http://[broken", "BARE_URL": "shop.example",
    "TLS_URL": "https://user:secret@Ledger.Internal:443/v1", "OTHER": "http://other",
}  # fmt: skip
LISTED = {
    "BINDTRACE_BINDINGS": " LEDGER=ledger , STOCK, GONE=gone,B=twin,A,", "LEDGER": "http://l", "STOCK": "http://s",
    "A": "http://same", "B": "http://same", "OTHER_URL": "http://o",
}  # fmt: skip
URLS = [
    "http://ledger.internal/x?y", "http://ledger.internal:80", "http://ledger.internal:81", "http://h/pay/card/7",
    "http://h/pay/cards", "http://h/payment", "http://h/pay?x", "http://h", "https://ledger.internal/v1/x",
    "https://ledger.internal/v2", "https://ledger.internal.evil.example/v1", "https://shop.example/", "http://other",
    "https://api.example/", "postgresql://db/shop", "http://l/", "http://s", "http://o", "http://same/1", "", "ledger",
    "http://", "http://h:99999", "http://[x", "ftp://h", "/entries",
]  # fmt: skip


def damaged(count: int) -> list[list[str]]:
    """Header lines that nearly are one, drawn from a fixed seed."""
    draw = random.Random(9651)
    alphabet = string.printable[:95] + '";=\\*?:@%,  \t\x00\x7f\x80é'
    lines: list[list[str]] = []
    for _ in range(count):
        text = list(WHOLE)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(text) + 1)
            text[at : at + draw.randint(0, 3)] = draw.choices(alphabet, k=draw.randint(0, 3))
        lines.append(["".join(text)])
    return lines


PARSED = [case["lines"] for case in VECTORS["parse"]] + damaged(3000)
WRITTEN = [case["binding"] for case in VECTORS["serialize"]]
RESOLVED = [{"variables": variables, "url": url} for variables in (VARIABLES, LISTED) for url in URLS]


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    asked = {"parse": PARSED, "serialize": WRITTEN, "resolve": RESOLVED}
    done = subprocess.run(
        ["node", str(HERE / "service_binding_answers.mjs"), str(MODULE)],
        input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


@pytest.mark.parametrize("at", range(len(VECTORS["parse"])), ids=lambda at: VECTORS["parse"][at]["name"])
def test_header_lines_are_read_as_the_vectors_say(answers: dict[str, Any], at: int) -> None:
    case = VECTORS["parse"][at]

    expected = {"binding": case["binding"]} if "binding" in case else {"absent": case["absent"]}

    assert answers["parse"][at] == expected


@pytest.mark.parametrize("at", range(len(WRITTEN)), ids=lambda at: VECTORS["serialize"][at]["name"])
def test_a_binding_is_written_as_the_vectors_say(answers: dict[str, Any], at: int) -> None:
    case = VECTORS["serialize"][at]

    assert answers["serialize"][at] == case.get("line", {"refused": True})


def test_damaged_headers_are_read_as_python_reads_them(answers: dict[str, Any]) -> None:
    expected = [told(parse(lines)) for lines in PARSED]

    assert sum("binding" in answer for answer in expected) > 100
    assert len({answer.get("absent") for answer in expected}) > 10
    assert answers["parse"] == expected


def test_every_written_vector_is_as_python_writes_it(answers: dict[str, Any]) -> None:
    for binding, answer in zip(WRITTEN, answers["serialize"], strict=True):
        if isinstance(answer, str):
            assert serialize(Binding(**binding)) == answer


def test_urls_resolve_to_bindings_as_in_python(answers: dict[str, Any]) -> None:
    expected = [table_of(case["variables"]).resolve(case["url"]) for case in RESOLVED]

    assert len({found.binding for found in expected if found}) == 8
    assert answers["resolve"] == [list(found) if found else None for found in expected]


def test_the_words_are_those_of_the_vocabulary(answers: dict[str, Any]) -> None:
    words = answers["words"]
    resource = {concept.column: list(concept.keys) for concept in concepts.RESOURCE_CONCEPTS}

    assert words["HEADER"] == vocabulary.BINDING_HEADER
    assert words["STAMPS"] == {
        "binding": vocabulary.BINDING_NAME, "caller": vocabulary.CALLER_CLAIMED, "callee": vocabulary.CALLEE_CLAIMED,
        "chain": vocabulary.CHAIN, "hop": vocabulary.HOP, "env": vocabulary.ENV, "deployment": vocabulary.DEPLOYMENT,
    }  # fmt: skip
    assert words["RESOURCE_KEYS"] == {
        name: resource[name] for name in ("service", "environment", "deployment")
    }
    assert words["NEVER"] == list(bindings.NEVER_BINDINGS)


def told(read: Binding | Absent) -> dict[str, Any]:
    """As JavaScript tells it: fields that are not there are left out."""
    if isinstance(read, Absent):
        return {"absent": read.reason}
    named = ("caller", "callee", "env", "deployment", "chain", "hop")
    return {"binding": {name: getattr(read, name) for name in named if getattr(read, name) is not None}}
