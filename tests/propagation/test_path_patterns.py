"""Path patterns, with the expectations of path-to-regexp 6 in strict mode."""

from __future__ import annotations

import re

import pytest

from bindtrace.propagation.platforms.paths import from_prefix, from_regex, from_source


@pytest.mark.parametrize(
    ("source", "matching", "other"),
    [
        ("/(.*)", ["/", "/a", "/a/b?"], [""]),
        ("/svc/api/:path*", ["/svc/api", "/svc/api/a", "/svc/api/a/b"], ["/svc/apis", "/svc/api/", "/svc"]),
        ("/docs(/.*)?", ["/docs", "/docs/", "/docs/a/b"], ["/docsy", "/"]),
        ("/user/:id", ["/user/7"], ["/user", "/user/7/x", "/user/", "/User/7"]),
        ("/user/:id(\\d+)", ["/user/77"], ["/user/x"]),
        ("/a/:b+", ["/a/x", "/a/x/y"], ["/a"]),
        ("/a/:b?", ["/a", "/a/x"], ["/a/x/y"]),
        ("/:file.json", ["/a.json"], ["/a-json", "/.json"]),
        ("/a{/:b}?", ["/a", "/a/x"], ["/ax"]),
        ("/{v}?x", ["/x", "/vx"], ["/vvx"]),
        ("/a\\+b.c", ["/a+b.c"], ["/aab.c", "/a+bxc"]),
        ("/:a-:b", ["/x-y"], ["/x", "/x-y/z"]),
        ("/:lang(en|de)/about", ["/en/about", "/de/about"], ["/fr/about"]),
        ("/", ["/"], ["/a", ""]),
    ],
)
def test_a_source_matches_whole_paths(source: str, matching: list[str], other: list[str]) -> None:
    pattern = re.compile(from_source(source).regex)

    assert [path for path in matching if not pattern.search(path)] == []
    assert [path for path in other if pattern.search(path)] == []


@pytest.mark.parametrize("source", ["/(", "/(a", "/{a", "/()", "/*", "/a)b(", "/:a(?<x", "/([)", "/}"])
def test_a_source_that_is_no_pattern_says_so(source: str) -> None:
    with pytest.raises(ValueError):
        from_source(source)


def test_a_route_is_a_regular_expression_over_the_whole_path() -> None:
    assert from_regex("/v[0-9]+/.*").regex == "^/v[0-9]+/.*$"
    assert from_regex("^/a$").regex == "^/a$"


@pytest.mark.parametrize("src", [r"/(a)\1", r"/(?<n>a)\k<n>", "/a++", "/(?>a)"])
def test_what_re2_cannot_follow_is_refused_and_not_guessed(src: str) -> None:
    with pytest.raises(ValueError):
        from_regex(src)


@pytest.mark.parametrize("src", [r"/a\\1", r"/a\*+", r"/[a*+]", r"/[\]*+]"])
def test_escapes_and_classes_only_look_like_what_re2_cannot_follow(src: str) -> None:
    assert from_regex(src).regex == f"^{src}$"


def test_lookarounds_are_taken_out_with_all_they_hold() -> None:
    assert from_source("/((?!api|(?:_next)).*)") == ("^(?:/(.*))$", True)
    assert from_regex("/a(?=[)])b(?<!c)") == ("^/ab$", True)


def test_a_prefix_matches_itself_and_all_below() -> None:
    pattern = re.compile(from_prefix("/api").regex)

    assert [bool(pattern.search(path)) for path in ("/api", "/api/", "/api/x", "/apis")] == [
        True,
        True,
        True,
        False,
    ]
    assert re.search(from_prefix("/").regex, "/anything")
