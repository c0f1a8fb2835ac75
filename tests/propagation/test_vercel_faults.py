"""vercel.json that is wrong: each mistake is a problem with its line, as Vercel's validator codes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reading_vercel import BINDING, TOML, fatal, read, web_binding

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import vercel


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": "daemon"}, "DEV_VALIDATE_CONFIG"),
        ({"format": "grpc"}, "DEV_VALIDATE_CONFIG"),
        ({"format": None}, "DEV_VALIDATE_CONFIG"),
        ({"env": None}, "DEV_VALIDATE_CONFIG"),
        ({"env": "2ND_URL"}, "DEV_VALIDATE_CONFIG"),
        ({"env": ["A", "B"]}, "DEV_VALIDATE_CONFIG"),
        ({"service": None}, "DEV_VALIDATE_CONFIG"),
        ({"service": 7}, "DEV_VALIDATE_CONFIG"),
        ({"service": "Api2"}, "INVALID_SERVICE_BINDING_NAME"),
        ({"service": "ghost"}, "SERVICES_BINDING_UNKNOWN_SERVICE"),
        ({"methods": ["GET"]}, "DEV_VALIDATE_CONFIG"),
    ],
)
def test_a_wrong_binding_is_a_problem_at_its_line_and_grants_nothing(
    changes: dict[str, Any], code: str
) -> None:
    manifest = read(web_binding(**changes))

    assert fatal(manifest) == [code]
    assert manifest.problems[0].line == 6
    assert manifest.grants == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": None}, "has no `format`"),
        ({"format": "grpc"}, 'has format "grpc"'),
        ({"env": None}, "has no `env`"),
        ({"env": ["A", "B"]}, 'has env ["A", "B"]'),
        ({"type": "daemon"}, 'has type "daemon"'),
    ],
)
def test_a_wrong_field_is_told_as_the_file_has_it_and_one_that_is_not_there_as_none(
    changes: dict[str, Any], said: str
) -> None:
    (problem,) = read(web_binding(**changes)).problems

    assert problem.message == f'a binding of service "web" {said}.'


def test_a_field_that_is_null_is_not_one_that_is_not_there() -> None:
    config = web_binding()
    config["services"]["web"]["bindings"][0]["format"] = None

    assert read(config).problems[0].message == 'a binding of service "web" has format null.'


def test_a_field_that_json_has_no_word_for_is_told_too() -> None:
    manifest = vercel.read(Path("vercel.toml"), TOML.replace('"API_URL"', "2026-01-01"))

    assert 'has env "2026-01-01"' in manifest.problems[0].message


def test_an_unknown_service_under_the_alias_has_the_aliases_code() -> None:
    config = web_binding(service="aqi")
    config = {"experimentalServicesV2": config["services"]}

    (problem,) = [p for p in read(config).problems if p.fatal]

    assert problem.code == "EXPERIMENTAL_SERVICES_V2_BINDING_UNKNOWN_SERVICE"
    assert '"api"' in problem.fix


@pytest.mark.parametrize(
    ("services", "code"),
    [
        ({"api2": {"root": "."}}, "INVALID_SERVICE_NAME"),
        ({"-api": {"root": "."}}, "INVALID_SERVICE_NAME"),
        ({"a" * 65: {"root": "."}}, "INVALID_SERVICE_NAME"),
        ({"api": {}}, "MISSING_ROOT"),
        ({"api": {"root": "/srv"}}, "INVALID_ROOT"),
        ({"api": {"root": "a/../../b"}}, "INVALID_ROOT"),
        ({"api": "main:app"}, "INVALID_SERVICE_CONFIG"),
        ({"api": {"root": ".", "bindings": {}}}, "DEV_VALIDATE_CONFIG"),
        ({"api": {"root": ".", "bindings": ["web"]}}, "DEV_VALIDATE_CONFIG"),
        ({"api": {"root": ".", "bindings": [BINDING] * 101}}, "DEV_VALIDATE_CONFIG"),
        ([], "DEV_VALIDATE_CONFIG"),
        ({f"a{'b' * n}": {"root": "."} for n in range(1, 102)}, "TOO_MANY_SERVICES"),
    ],
)
def test_a_wrong_service_is_a_problem(services: Any, code: str) -> None:
    assert code in fatal(read({"services": services}))


def test_an_unknown_key_of_a_service_is_a_warning_that_names_the_nearest() -> None:
    manifest = read({"services": {"api": {"root": ".", "entripoint": "main:app"}}})

    (warning,) = manifest.problems
    assert (warning.code, warning.fatal, warning.fix) == ("DEV_VALIDATE_CONFIG", False, "use `entrypoint`.")


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("builds", [], "SERVICES_AND_BUILDS"),
        ("experimentalServices", {}, "SERVICES_AND_EXPERIMENTAL_SERVICES"),
        ("experimentalServicesV2", {}, "SERVICES_AND_EXPERIMENTAL_SERVICES_V2"),
        ("functions", {}, "SERVICES_AND_TOP_LEVEL_BUILD_SETTINGS"),
        ("framework", "nextjs", "SERVICES_AND_TOP_LEVEL_BUILD_SETTINGS"),
        ("outputDirectory", "dist", "SERVICES_AND_TOP_LEVEL_BUILD_SETTINGS"),
    ],
)
def test_keys_that_exclude_each_other_are_a_problem(key: str, value: Any, code: str) -> None:
    assert fatal(read(web_binding() | {key: value})) == [code]


def test_a_rewrite_to_an_undeclared_service_names_the_nearest() -> None:
    config = web_binding() | {"rewrites": [{"source": "/", "destination": {"service": "apy"}}]}

    (problem,) = read(config).problems

    assert (problem.code, problem.fatal) == ("UNKNOWN_SERVICE_DESTINATION", True)
    assert '"api"' in problem.fix


def test_a_path_that_looks_ahead_is_read_wider_and_says_so() -> None:
    config = web_binding() | {"rewrites": [{"source": "/((?!api/).*)", "destination": {"service": "web"}}]}

    manifest = read(config)

    assert manifest.exposures[0].pattern == "^(?:/(.*))$"
    assert [(p.code, p.fatal) for p in manifest.problems] == [("PATH_WIDENED", False)]


def test_a_path_that_cannot_be_read_is_a_problem() -> None:
    config = web_binding() | {"rewrites": [{"source": "/(", "destination": {"service": "web"}}]}

    assert fatal(read(config)) == ["DEV_VALIDATE_CONFIG"]


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ('{\n  "services": {\n    "web": {"root": "."}\n  "x": 1}\n}', 4, 3, "expected ',' delimiter"),
        ('{"services": {},}', 1, 17, "Illegal trailing comma"),
        ("", 1, 1, "expected value"),
        ("[" * 100_000, 1, 1, "Nesting is too deep"),
    ],
)
def test_bad_json_says_where_and_what_was_expected(text: str, line: int, column: int, what: str) -> None:
    (problem,) = read(text).problems

    assert (problem.code, problem.line, problem.fatal) == ("BAD_JSON", line, True)
    assert str(problem).startswith(f"vercel.json:{line}:")
    assert what in problem.message or "expected" in problem.message  # the wording differs among Pythons


def test_any_json_value_is_read_without_raising() -> None:
    for value in (None, 7, [], "x", {"services": 7}, {"services": {"a": None}}, {"rewrites": [7, {}, None]}):
        assert isinstance(read(json.dumps(value)), Manifest)


def test_a_key_that_is_there_twice_is_a_warning_at_the_second() -> None:
    manifest = read('{"services": {\n "api": {"root": "a"},\n "api": {"root": "b"}}}')

    assert [(p.code, p.line, p.fatal) for p in manifest.problems] == [("REPEATED_KEY", 3, False)]
