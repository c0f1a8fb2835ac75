"""bindtrace.toml, and how it scopes the manifests beside it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import generic, problems_of, read_manifest, read_manifests

WHOLE = """\
scope = "shop"

[services.ledger]
match = { "service.name" = "ledger-prod", "k8s.deployment.name" = "ledger" }
hosts = ["127.0.0.1:9106", "Ledger.Internal"]
public_hosts = ["ledger.example.com"]
exposure = "internal"

[services."api.v2".match]
"service.name" = "api"

[edges.edge]
match = { "service.name" = "edge" }
hosts = ["127.0.0.1:8080", "*.shop.example"]

[[grants]]
caller = "a"
callee = "b"

[[grants]]
caller = "b"
callee = "c"
environment = "production"
binding = "C"

[[exceptions]]
rule = "public-route"
caller = "orders"
reason = "moves to the binding with release 12"
until = 2026-12-31
"""


def read(text: str) -> Manifest:
    return generic.read(Path("bindtrace.toml"), text)


def nano(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[arg-type]


def test_everything_is_read_with_its_line() -> None:
    manifest = read(WHOLE)

    assert manifest.problems == ()
    assert manifest.scope == "shop"
    assert [(s.service, s.exposure, s.scope, s.line) for s in manifest.services] == [
        ("ledger", "internal", "shop", 3),
        ("api.v2", None, "shop", 9),
    ]
    assert [(h.host, h.service, h.road) for h in manifest.hosts] == [
        ("127.0.0.1:9106", "ledger", "private"),
        ("ledger.internal", "ledger", "private"),
        ("ledger.example.com", "ledger", "public"),
        ("127.0.0.1:8080", None, "public"),
        ("*.shop.example", None, "public"),
    ]
    assert [(m.service, m.role, m.attribute, m.value) for m in manifest.matches] == [
        ("ledger", "service", "service.name", "ledger-prod"),
        ("ledger", "service", "k8s.deployment.name", "ledger"),
        ("api.v2", "service", "service.name", "api"),
        ("edge", "edge", "service.name", "edge"),
    ]
    assert [(g.caller, g.callee, g.environment, g.binding, g.line) for g in manifest.grants] == [
        ("a", "b", None, None, 16),
        ("b", "c", "production", "C", 20),
    ]
    (accepted,) = manifest.accepted
    assert (accepted.rule, accepted.caller, accepted.callee, accepted.line) == (
        "public-route",
        "orders",
        None,
        26,
    )


FACTS = """\
max_hops = 6

[services.ledger]
environment = "production"
environments = ["preview"]
sensitive = true
protection = "mtls"
only_through = ["checkout"]
egress = ["203.0.113.7", "2001:db8::1"]

[services.gateway]
delegates_for = ["web"]
forwarder = true

[services.app]
outside = true

[ranges]
internal = ["198.51.100.0/24"]
public = [
  "10.9.0.0/16",
]

[[grants]]
caller = "*"
callee = "ledger"
methods = ["GET", "PUT"]
paths = ["/accounts/*", "/v1/**"]
protection = "tls"
used_within_days = 90

[[probes]]
name = "load balancer"
addresses = ["10.0.0.1/32"]
user_agent = "ELB-HealthChecker/"
paths = ["/ping"]
"""


def test_facts_of_services_addresses_and_probes_are_read() -> None:
    manifest = read(FACTS)

    assert manifest.problems == ()
    assert manifest.max_hops == 6
    ledger, gateway, app = manifest.services
    assert (ledger.environment, ledger.environments, ledger.sensitive, ledger.protection) == (
        "production", ("preview",), True, "mtls",
    )  # fmt: skip
    assert (ledger.only_through, ledger.outside, ledger.forwarder) == (("checkout",), False, False)
    assert (gateway.delegates_for, gateway.forwarder, app.outside) == (("web",), True, True)
    assert [(r.cidr, r.kind, r.service, r.line) for r in manifest.ranges] == [
        ("203.0.113.7/32", "egress", "ledger", 9),
        ("2001:db8::1/128", "egress", "ledger", 9),
        ("198.51.100.0/24", "internal", None, 19),
        ("10.9.0.0/16", "public", None, 21),
    ]
    (probe,) = manifest.probes
    assert (probe.name, probe.cidrs, probe.user_agent, probe.paths, probe.line) == (
        "load balancer", ("10.0.0.1/32",), "ELB-HealthChecker/", ("^/ping$",), 32,
    )  # fmt: skip


def test_a_grants_paths_are_whole_paths_with_stars_for_one_segment_or_any() -> None:
    (grant,) = read(FACTS).grants
    one, any_ = (re.compile(path) for path in grant.paths)

    assert (grant.caller, grant.methods, grant.protection, grant.used_within_days) == (
        "*", ("GET", "PUT"), "tls", 90,
    )  # fmt: skip
    assert [bool(one.match(path)) for path in ("/accounts/7", "/accounts/7/x", "/accounts")] == [1, 0, 0]
    assert [bool(any_.match(path)) for path in ("/v1/", "/v1/a/b", "/v2/a")] == [1, 1, 0]


def test_a_date_lasts_to_the_end_of_its_day_in_utc() -> None:
    assert read(WHOLE).accepted[0].until_unix_nano == nano(2027, 1, 1)


@pytest.mark.parametrize(
    "until", ["2026-12-31T12:00:00Z", "2026-12-31T12:00:00", "2026-12-31T14:00:00+02:00"]
)
def test_a_time_is_exact_and_utc_where_it_says_no_zone(until: str) -> None:
    text = WHOLE.replace("2026-12-31", until)

    assert read(text).accepted[0].until_unix_nano == nano(2026, 12, 31, 12)


@pytest.mark.parametrize(
    ("old", "new", "line", "code", "said"),
    [
        ("public_hosts", "public_host", 6, "UNKNOWN_KEY", "use `public_hosts`."),
        ("[edges.edge]", "[edge.edge]", 12, "UNKNOWN_KEY", "use `edges`."),
        ('scope = "shop"', 'scopes = "shop"', 1, "UNKNOWN_KEY", "use `scope`."),
        ('exposure = "internal"', 'exposure = "private"', 7, "WRONG_TYPE", '"public" or "internal"'),
        ('callee = "c"', "callee = 3", 22, "WRONG_TYPE", "text"),
        ('callee = "c"\n', "", 20, "MISSING_KEY", "callee"),
        ("until = 2026-12-31", 'until = "2026-12-31"', 30, "WRONG_TYPE", "without quotes"),
        ("until = 2026-12-31", "", 26, "MISSING_KEY", "until"),
        ('reason = "moves to the binding with release 12"', 'reason = ""', 29, "WRONG_TYPE", "text"),
        ('"ledger.example.com"', '"https://ledger.example.com/x"', 6, "BAD_HOST", "without scheme"),
        ('callee = "b"', 'callee = "b"\nmethods = ["get"]', 19, "WRONG_TYPE", "capitals"),
        ('callee = "b"', 'callee = "b"\npaths = ["v1/*"]', 19, "WRONG_TYPE", "begin with /"),
        ('callee = "b"', 'callee = "b"\nprotection = "plain"', 19, "WRONG_TYPE", '"tls" or "mtls"'),
        ('scope = "shop"', 'max_hops = 0\nscope = "shop"', 1, "WRONG_TYPE", "above 0"),
        ('exposure = "internal"', 'sensitive = "yes"', 7, "WRONG_TYPE", "true or false"),
        ('exposure = "internal"', 'egress = ["203.0.113.300"]', 7, "BAD_ADDRESS", "network"),
        (
            "[[exceptions]]",
            '[[probes]]\nname = "lb"\nuser_agent = "ELB/"\n[[exceptions]]',
            26,
            "WEAK_PROBE",
            "paths",
        ),
        ('match = { "service.name" = "edge" }', "match.service.name = 'edge'", 13, "WRONG_TYPE", "quotes"),
    ],
)
def test_a_mistake_is_a_fatal_problem_at_its_line(
    old: str, new: str, line: int, code: str, said: str
) -> None:
    text = WHOLE.replace(old, new, 1)

    problem = next(p for p in read(text).problems if p.code == code)

    assert (problem.line, problem.fatal) == (line, True)
    assert said in problem.fix


def test_a_table_that_is_none_is_a_problem() -> None:
    (whole,) = read("scope = 's'\nservices = 3\n").problems
    (one,) = read("[services]\nledger = 'x'\n").problems

    assert [(p.code, p.line, p.fix) for p in (whole, one)] == [
        ("WRONG_TYPE", 2, "make it a table."),
        ("WRONG_TYPE", 2, "write [services.ledger]."),
    ]


def test_bad_toml_says_where() -> None:
    (problem,) = read('scope = "shop"\n[services.x\n').problems

    assert (problem.code, problem.line) == ("BAD_TOML", 2)
    assert str(problem).startswith("bindtrace.toml:2:")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bindtrace.toml").write_text(WHOLE)
    (tmp_path / "vercel.json").write_text(
        '{"services": {"web": {"root": "."}}, "rewrites": [{"source": "/", "destination": {"service": "web"}}]}'
    )
    return tmp_path


def test_the_scope_of_bindtrace_toml_is_given_to_manifests_without_one(folder: Path) -> None:
    vercel, own = read_manifests([folder / "vercel.json", folder / "bindtrace.toml"])

    assert (vercel.scope, own.scope) == ("shop", "shop")
    assert vercel.services[0].scope == vercel.exposures[0].scope == "shop"


def test_two_scopes_and_a_manifest_without_one_are_ambiguous(folder: Path) -> None:
    other = folder / "other.bindtrace.toml"
    other.write_text('scope = "other"')

    with pytest.raises(Refusal, match="ambiguous"):
        read_manifests([folder / "vercel.json", folder / "bindtrace.toml", other])
    assert len(read_manifests([folder / "bindtrace.toml", other])) == 2


def test_a_fatal_problem_refuses_with_file_line_and_fix(folder: Path) -> None:
    path = folder / "bindtrace.toml"
    path.write_text('scope = "shop"\n\n[[grant]]\n')

    with pytest.raises(Refusal) as refused:
        read_manifests([path])

    assert str(refused.value) == f"{path}:3: the file has the unknown key `grant`. fix: use `grants`"
    assert refused.value.exit_code == 2


def test_a_warning_is_no_refusal(folder: Path) -> None:
    path = folder / "vercel.json"
    path.write_text('{"experimentalServicesV2": {"web": {"root": "."}}}')

    manifests = read_manifests([path])

    assert [problem.code for problem in problems_of(manifests)] == ["DEPRECATED_KEY"]


@pytest.mark.parametrize("name", ["absent.json", ".", "notes.json", "image.json"])
def test_a_file_that_is_no_manifest_is_refused_with_a_fix(folder: Path, name: str) -> None:
    (folder / "notes.json").write_text('{"a": 1}')
    (folder / "image.json").write_bytes(b"\x89PNG\xff")

    with pytest.raises(Refusal, match="fix: "):
        read_manifest(folder / name)


def test_a_manifest_is_known_by_its_content_too(folder: Path) -> None:
    (folder / "intended.json").write_bytes((folder / "vercel.json").read_bytes())
    (folder / "policy.toml").write_bytes((folder / "bindtrace.toml").read_bytes())

    assert read_manifest(folder / "intended.json").platform == "vercel"
    assert read_manifest(folder / "policy.toml").platform == "bindtrace"


def test_the_revision_is_of_the_files_bytes(folder: Path) -> None:
    one = read_manifest(folder / "vercel.json").revision
    (folder / "vercel.json").write_text((folder / "vercel.json").read_text() + "\n")

    assert len(one) == 16
    assert read_manifest(folder / "vercel.json").revision != one


@pytest.mark.parametrize("until", ["2999-01-01", "9999-12-31"])
def test_for_ever_is_the_last_moment_that_the_database_can_hold(until: str) -> None:
    assert read(WHOLE.replace("2026-12-31", until)).accepted[0].until_unix_nano == 2**63 - 1
