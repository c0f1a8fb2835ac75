"""wrangler configurations that are wrong or odd: problems that grant nothing wrong, and no route read too narrow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from reading_wrangler import codes, read, worker

from bindtrace.propagation.manifest import Manifest


@pytest.mark.parametrize(
    ("written", "custom", "hosts", "met", "not_met"),
    [
        ("example.com/*", False, ["example.com"], ["/", "/a/b"], []),
        ("https://Example.com/API*", False, ["example.com"], ["/API", "/API/x"], ["/api", "/"]),
        ("*example.com/a", False, ["example.com", "*.example.com"], ["/a"], ["/a/", "/"]),
        ("*.example.com/*.png", False, ["*.example.com"], ["/x/y.png"], ["/x.jpg"]),
        ("example.com", False, ["example.com"], ["/"], ["/x"]),
        ("shop.example.com", True, ["shop.example.com"], ["/", "/x"], []),
        ("*/*", False, [None], ["/", "/x"], []),
        ("b\u00fccher.example/*", False, ["b\u00fccher.example"], ["/"], []),
    ],
)
def test_a_route_is_hosts_and_a_pattern_of_whole_paths(
    written: str, custom: bool, hosts: list[str | None], met: list[str], not_met: list[str]
) -> None:
    manifest = worker(route={"pattern": written, "custom_domain": custom})

    assert [e.host for e in manifest.exposures] == hosts
    pattern = re.compile(manifest.exposures[0].pattern)
    assert all(pattern.match(path) for path in met)
    assert not any(pattern.match(path) for path in not_met)


@pytest.mark.parametrize(
    ("more", "code", "fatal", "said"),
    [
        ({"services": [{"binding": "L"}]}, "INVALID_BINDING", True, "no `service`"),
        ({"services": [{"service": "ledger"}]}, "INVALID_BINDING", True, "no `binding`"),
        ({"services": [{"binding": "L", "service": 7}]}, "INVALID_BINDING", True, "7 as `service`"),
        ({"services": ["ledger"]}, "INVALID_BINDING", True, "'ledger'"),
        ({"services": {"binding": "L"}}, "INVALID_BINDING", True, "not a list"),
        ({"services": [{"binding": "L", "service": "l", "entryPoint": "E"}]}, "UNKNOWN_KEY", False, "entryPoint"),
        ({"services": [{"binding": "L", "service": "l", "environment": "e"}]}, "DEPRECATED_KEY", False, "environment"),
        ({"service": [{"binding": "L", "service": "l"}]}, "UNKNOWN_KEY", False, "`service`"),
        ({"routes": ["/path/only"]}, "INVALID_ROUTE", True, "/path/only"),
        ({"route": {"pattern": "a.example/x", "custom_domain": True}}, "INVALID_ROUTE", True, "a.example/x"),
        ({"routes": [7]}, "INVALID_ROUTE", True, "7"),
        ({"queues": {"consumers": [{}]}}, "INVALID_BINDING", True, "names no queue"),
        ({"env": {"x": True}}, "INVALID_ENVIRONMENT", True, "env.x"),
        ({"env": {"x": {"name": "a b"}}}, "INVALID_NAME", True, "'a b'"),
        ({"name": None}, "INVALID_NAME", True, "no `name`"),
        ({"name": "a/b"}, "INVALID_NAME", True, "'a/b'"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_problem_that_grants_nothing_wrong(
    more: dict[str, Any], code: str, fatal: bool, said: str
) -> None:
    manifest = worker(**more)

    problem = next(p for p in manifest.problems if p.code == code)
    assert (problem.fatal, said in problem.message) == (fatal, True)
    assert problem.line > 0
    assert problem.fix
    assert not fatal or manifest.grants == ()


def test_a_route_without_the_strict_flag_lets_fetch_go_past_workers() -> None:
    flag = "global_fetch_strictly_public"

    assert codes(worker(routes=["a.example/*"])) == [("FETCH_PAST_WORKERS", False)]
    assert codes(worker(routes=["a.example/*"], compatibility_flags=[flag])) == []
    assert codes(worker(compatibility_flags=[])) == []


def test_any_value_is_read_without_raising() -> None:
    odd: tuple[Any, ...] = (None, 7, [], "x", {}, [None], [7], [[]], {"x": None}, True)
    keys = (
        "name", "env", "services", "routes", "route", "workers_dev", "preview_urls", "durable_objects", "queues",
        "tail_consumers", "dispatch_namespaces", "previews", "compatibility_flags", "account_id", "legacy_env",
    )  # fmt: skip
    for value in odd:
        assert isinstance(read(value), Manifest)
        for key in keys:
            assert isinstance(worker(**{key: value}), Manifest)
            assert isinstance(worker(env={"e": {key: value}}), Manifest)
