"""T21, T22, T26 at full quantities: every payload at every place, in a real browser too, under a watch of the system.

T23 to T25 are whole in tests/queries/test_injection_text.py and test_injection_paths.py, as they take seconds.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from answering import served
from campaigning import quantity
from click.testing import CliRunner
from hostile import SQL, XSS, sample
from injecting import FIRST_TRACE, INNOCENT, Asked, asked_raw, database, expected_of, found_by
from markup_seen import PAGES, SAFE_ADDRESS, Dom, documents

from bindtrace.propagation.command import bindtrace
from bindtrace.queries import cells

STATEMENTS = sample(SQL, quantity(full=250, small=50))
MARKUP = sample(XSS, quantity(full=120, small=30))
TESTS = Path(__file__).parents[1]
WATCHED = (
    "propagation/identity", "collector/test_admission_malformed.py", "queries/test_injection_sql.py",
    "queries/test_injection_markup.py",
)  # fmt: skip
"""T2, T10, T21 and T22."""
_CONNECT = re.compile(r'connect\(.*(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")')


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    con = database(STATEMENTS, declared=True)
    yield Asked(con)
    con.close()


def test_every_payload_is_matched_literally_by_the_statements_of_innocent_texts(asked: Asked) -> None:
    with asked.statements() as innocent:
        for number, text in enumerate(INNOCENT, len(STATEMENTS)):
            assert found_by(asked, text) == expected_of(text, number)
    for number, payload in enumerate(STATEMENTS):
        with asked.statements() as seen:
            assert found_by(asked, payload) == expected_of(payload, number), repr(payload)
        assert seen <= innocent, repr(payload)


def test_every_payload_in_the_place_of_a_query_is_answered_or_refused(asked: Asked) -> None:
    for payload in STATEMENTS:
        asked_raw(asked, payload)


def test_every_payload_is_matched_literally_by_the_command(tmp_path: Path) -> None:
    stored = tmp_path / "hostile.duckdb"
    database(STATEMENTS, path=stored).close()

    for number, payload in enumerate(STATEMENTS):
        words = ["hops", "--db", str(stored), "-f", "jsonl", "--caller", payload, "--env", payload]
        said = CliRunner().invoke(bindtrace, words)
        assert said.exit_code == 0, said.output
        assert said.stdout.count("\n") == 1, repr(payload)
        assert f"{FIRST_TRACE + number:032x}" in said.stdout


def test_no_element_and_no_attribute_comes_from_any_payload() -> None:
    found = {}
    for names in ([f"name {number}" for number in range(len(MARKUP))], MARKUP):
        con = database(names, declared=True)
        found[names is MARKUP] = documents(con, len(MARKUP))
        con.close()

    said = ""
    for plain, hostile in zip(found[False], found[True], strict=True):
        before, after = Dom(plain), Dom(hostile)
        assert {kind for kind in after.kinds if kind[0] != "tspan"} <= before.kinds
        assert after.others == before.others
        assert all(SAFE_ADDRESS.match(address) for address in after.addresses)
        said += after.said
    assert [payload for payload in MARKUP if cells.visible(payload) not in said] == []


def test_no_payload_runs_in_a_browser() -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium: Debian has it as `chromium`")
    con = database(MARKUP, declared=True)
    reports = [one for one in documents(con, len(MARKUP)) if one.startswith("<!doctype")]
    said: list[str] = []

    def note(address: str, own: str) -> None:
        if not address.startswith((own, "data:", "about:")):
            said.append(address)

    with served(Asked(con).app) as url, playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page, report_page = chromium.new_page(base_url=url), chromium.new_page()
        for one in (page, report_page):
            one.on("dialog", lambda dialog: said.append(dialog.message))
            one.on("pageerror", lambda error: said.append(str(error)))
            one.on("console", lambda message: said.append(message.text))
            one.on("request", lambda request: note(request.url, url))
        framed = "img, iframe, object, embed, base"
        for path in (*PAGES, *(f"/chain/{FIRST_TRACE + number:032x}" for number in range(len(MARKUP)))):
            page.goto(path)
            assert page.locator(f"main script, form:not([role]), {framed}").count() == 0, path
        for report in reports[len(PAGES) :]:
            report_page.set_content(report)
            assert report_page.locator(f"script:not([type=module]), {framed}").count() == 0
        chromium.close()
    con.close()
    assert said == []


def test_nothing_connects_elsewhere_while_hostile_input_is_read(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace: Debian has it as `strace`")
    log = tmp_path / "connects"
    command = [
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=connect",
        "-o",
        str(log),
        sys.executable,
        "-m",
        "pytest",
        "-q",
    ]
    done = subprocess.run(
        [*command, *(str(TESTS / name) for name in WATCHED)], capture_output=True, text=True, check=False
    )

    assert done.returncode in (0, 1), done.stdout[-2000:]  # whether they pass is told where they stand
    assert int(re.findall(r"(\d+) passed", done.stdout)[-1]) > 150
    asked = {one or other for one, other in _CONNECT.findall(log.read_text(errors="replace"))}
    assert {
        one for one in asked if not one.startswith("127.") and one not in ("::1", "0.0.0.0", "::")
    } == set()
