"""The built-in page in a real browser: searches, opens a chain, follows a finding; nothing said on the console, no
request to elsewhere, keyboard usable, light and dark, wide and narrow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from answering import answering
from drawn_shop import PUBLIC_ID, write_shop

pytestmark = pytest.mark.slow

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path: Path = write_shop(tmp_path_factory.mktemp("browser") / "shop.duckdb")
    with answering(path) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    if BROWSER is None:
        pytest.skip("no chromium: Debian has it as `chromium`")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Watched:
    """A page of the browser, and what it said and asked for."""

    def __init__(self, page: playwright.Page, url: str) -> None:
        self.page = page
        self.said: list[str] = []
        self.elsewhere: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((url, "data:")) else self.elsewhere.append(request.url)
            ),
        )


@pytest.fixture(params=[("light", 1280), ("dark", 1280), ("light", 400), ("dark", 400)], ids=str)
def watched(request: pytest.FixtureRequest, browser: playwright.Browser, url: str) -> Iterator[Watched]:
    scheme, width = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, base_url=url)
    yield Watched(context.new_page(), url)
    context.close()


def test_a_person_searches_opens_a_chain_and_follows_a_finding(watched: Watched) -> None:
    page = watched.page
    page.goto("/")
    page.get_by_role("searchbox").fill("inventory")
    page.keyboard.press("Enter")
    page.wait_for_url("**/chains?through=inventory")
    page.get_by_role("link", name=PUBLIC_ID[:12]).first.click()
    page.wait_for_url(f"**/chain/{PUBLIC_ID}*")
    page.locator("summary", has_text="orders → inventory").click()
    assert page.locator("details[open] dd", has_text="public").first.is_visible()

    page.get_by_role("link", name="public-route").click()
    page.wait_for_url("**/findings*#finding-*")

    assert page.get_by_text("what to do").first.is_visible()
    assert watched.said == []
    assert watched.elsewhere == []


def test_no_page_is_wider_than_its_window(watched: Watched) -> None:
    page = watched.page
    for path in ("/", "/findings", "/chains", "/services", f"/chain/{PUBLIC_ID}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert watched.said == []


def test_it_is_used_by_the_keyboard_alone(browser: playwright.Browser, url: str) -> None:
    page = browser.new_page(base_url=url)
    page.goto("/")

    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("public-route"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")

    page.wait_for_url("**/findings*#finding-*")
    page.close()


def test_the_page_renews_itself_and_says_so(browser: playwright.Browser, url: str) -> None:
    page = browser.new_page(base_url=url)
    page.goto("/")
    with page.expect_request(lambda request: request.resource_type == "fetch", timeout=15_000):
        pass

    page.get_by_text("live ·").wait_for(timeout=15_000)
    assert page.get_by_text("public-route: orders → inventory").is_visible()
    page.close()
