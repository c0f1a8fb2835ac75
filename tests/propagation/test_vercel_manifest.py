"""vercel.json: what it grants and exposes, with lines, in each of the forms that Vercel has had."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from reading_vercel import BINDING, TOML, fatal, read, web_binding
from support import fixture

from bindtrace.propagation.platforms import read_manifest, vercel
from bindtrace.propagation.platforms.linking import linked

CASES = "vercel-bindings/binding-validation-cases.json"


@pytest.mark.parametrize("number", range(5))
def test_vercels_own_cases_get_vercels_verdicts(number: int) -> None:
    case = json.loads(fixture(CASES).read_text())["cases"][number]

    manifest = read(case["config"])

    assert bool(fatal(manifest)) == (case["expect"] == "error"), case["name"]
    assert case.get("code", (fatal(manifest) or [None])[0]) in (*fatal(manifest), None)
    if "edges" in case:
        assert [[grant.caller, grant.callee] for grant in manifest.grants] == case["edges"]


def test_all_of_vercels_own_cases_are_run() -> None:
    assert len(json.loads(fixture(CASES).read_text())["cases"]) == 5


def test_a_bound_backend_is_granted_and_not_public() -> None:
    path = fixture("vercel-bindings/examples/services-nextjs-fastapi-bindings.vercel.json")

    manifest = read_manifest(path)

    (grant,) = manifest.grants
    assert (grant.caller, grant.callee, grant.binding, grant.line) == (
        "frontend",
        "backend",
        "BACKEND_URL",
        8,
    )
    assert (grant.file, grant.platform, grant.environment) == (str(path), "vercel", None)
    assert [(s.service, s.line) for s in manifest.services] == [("frontend", 4), ("backend", 16)]
    assert [(e.service, e.source, e.line) for e in manifest.exposures] == [("frontend", "/(.*)", 22)]
    assert manifest.problems == ()


def test_a_rewritten_backend_is_public_and_not_granted() -> None:
    manifest = read_manifest(fixture("vercel-bindings/examples/services-nextjs-fastapi.vercel.json"))

    assert manifest.grants == ()
    assert [(e.service, e.source, e.line) for e in manifest.exposures] == [
        ("backend", "/svc/api/:path*", 14),
        ("frontend", "/(.*)", 20),
    ]


def test_rewrites_inside_a_service_expose_nothing() -> None:
    manifest = read_manifest(fixture("vercel-bindings/vercel/20-services-static-frontend-docs.vercel.json"))

    assert [(e.service, e.source) for e in manifest.exposures] == [
        ("docs", "/docs(/.*)?"),
        ("frontend", "/(.*)"),
    ]


def test_the_deprecated_alias_is_read_with_a_warning() -> None:
    manifest = read_manifest(fixture("vercel-bindings/vercel/services-v2-bindings.vercel.json"))

    assert [(g.callee, g.line) for g in manifest.grants] == [
        ("node_api", 17),
        ("py_api", 23),
        ("go_api", 29),
        ("ruby_api", 35),
    ]
    (warning,) = manifest.problems
    assert (warning.code, warning.fatal) == ("DEPRECATED_KEY", False)
    assert "`services`" in warning.fix


def test_a_bindings_type_may_be_omitted() -> None:
    assert len(read(web_binding(type=None)).grants) == 1


def test_the_older_model_exposes_by_prefix_grants_nothing_and_warns() -> None:
    manifest = read(
        {
            "experimentalServices": {
                "Api2": {"routePrefix": "/api"},
                "site": {"mount": "/"},
                "job": {"type": "job"},
            }
        }
    )

    assert [(e.service, e.source, e.pattern) for e in manifest.exposures] == [
        ("Api2", "/api", "^/api(?:/.*)?$"),
        ("site", "/", "^(?:/.*)?$"),
    ]
    assert manifest.grants == ()
    assert [(p.code, p.fatal) for p in manifest.problems] == [("OLDER_MODEL", False)]


def test_a_daemon_may_bind_services_but_none_may_bind_a_daemon() -> None:
    config: dict[str, Any] = {
        "services": {"api": {"root": "."}},
        "daemons": {"sync": {"bindings": [BINDING]}},
    }

    manifest = read(config)
    config["services"]["api"]["bindings"] = [BINDING | {"service": "sync"}]

    assert [(g.caller, g.callee) for g in manifest.grants] == [("sync", "api")]
    assert fatal(manifest) == []
    assert fatal(read(config)) == ["SERVICES_BINDING_UNKNOWN_SERVICE"]


def test_routes_and_rewrites_keep_their_order_and_string_destinations_are_ignored() -> None:
    services = {"web": {"root": "."}, "api": {"root": "api"}}
    manifest = read(
        {
            "services": services,
            "rewrites": [
                {"source": "/old", "destination": "/new"},
                {"source": "/api/:id", "destination": {"type": "service", "service": "api", "path": "/x"}},
                {"source": "/(.*)", "destination": {"service": "web"}},
            ],
            "routes": [
                {"src": "/v(?<number>[0-9]+)/.*", "destination": {"type": "service", "service": "api"}},
                {"handle": "filesystem"},
            ],
        }
    )

    assert [(e.service, e.source, e.pattern) for e in manifest.exposures] == [
        ("api", "/api/:id", "^/api(?:/([^/]+?))$"),
        ("web", "/(.*)", "^(?:/(.*))$"),
        ("api", "/v(?<number>[0-9]+)/.*", "^/v([0-9]+)/.*$"),
    ]


def test_every_pattern_is_in_the_common_part_of_python_and_re2() -> None:
    for name in ("examples/services-nextjs-fastapi.vercel.json", "vercel/services-v2-bindings.vercel.json"):
        for exposure in read_manifest(fixture(f"vercel-bindings/{name}")).exposures:
            assert re.compile(exposure.pattern)
            assert not re.search(r"\(\?[=!<]", exposure.pattern)


def test_vercel_toml_says_the_same_with_its_own_lines() -> None:
    manifest = vercel.read(Path("vercel.toml"), TOML)

    assert [(g.caller, g.callee, g.binding, g.line) for g in manifest.grants] == [
        ("web", "api", "API_URL", 8),
        ("sync", "api", "SYNC_API_URL", 18),
        ("*", "*", "VERCEL_RELATED_PROJECTS", 2),
    ]
    assert [(s.service, s.line) for s in manifest.services] == [("web", 5), ("api", 13), ("sync", 17)]
    assert [(e.service, e.line) for e in manifest.exposures] == [("web", 23)]
    assert [(p.code, p.line) for p in manifest.problems] == [("DEV_VALIDATE_CONFIG", 15)]


def test_related_projects_are_reached_by_the_public_road_and_not_bound() -> None:
    manifest = read({"relatedProjects": ["prj_1", "shop"]})

    (grant,) = manifest.grants
    assert (grant.road, grant.callee_scope, grant.action) == ("public", "prj_1", "allow")
    assert fatal(manifest) == ["DEV_VALIDATE_CONFIG"]


def test_the_deploy_manifest_grants_what_was_deployed() -> None:
    deployed = {
        "manifestVersion": "2.0",
        "builds": {"@vercel/next:apps/web": {"root": "apps/web"}},
        "services": {
            "web": {"builds": ["@vercel/next:apps/web"], "bindings": [BINDING]},
            "api": {"builds": []},
        },
    }

    manifest = read(deployed)

    assert [(g.caller, g.callee, g.binding) for g in manifest.grants] == [("web", "api", "API_URL")]
    assert manifest.problems == ()


def test_the_build_output_declares_services_and_exposes_them_by_its_routes() -> None:
    manifest = read(
        {
            "version": 3,
            "services": [{"name": "web", "root": "services/web"}, {"name": "api", "root": "services/api"}],
            "routes": [{"src": "/(.*)", "destination": {"type": "service", "service": "web"}}],
        }
    )

    assert [s.service for s in manifest.services] == ["web", "api"]
    assert [(e.service, e.pattern) for e in manifest.exposures] == [("web", "^/(.*)$")]
    assert manifest.problems == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shop.vercel.toml", TOML),
        ("intended.toml", TOML),
        ("deploy-manifest.json", "{}"),
        ("config.json", '{\n  "version": 3,\n  "routes": []}'),
        ("x.json", '{"manifestVersion": "2.0"}'),
        ("project.json", '{"projectId":"prj_1","orgId":"team_1"}'),
    ],
)
def test_vercels_files_are_known_by_name_or_content(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert read_manifest(tmp_path / name).platform == "vercel"


def test_a_manifest_that_was_kept_by_its_deployment_is_of_that_deployment() -> None:
    kept = vercel.read(Path("old/dpl_89qyp1cskzkLrVicDaZoDbjyHuDJ.vercel.json"), "{}")

    assert kept.deployment == "dpl_89qyp1cskzkLrVicDaZoDbjyHuDJ"
    assert read({}).deployment is None


def test_a_linked_project_is_the_scope_of_the_manifests_beside_it() -> None:
    link = vercel.read(Path(".vercel/project.json"), '{"projectId": "prj_1", "orgId": "team_1"}')

    manifest, _ = linked([read(web_binding()), link])

    assert (manifest.scope, manifest.grants[0].scope) == ("prj_1", "prj_1")
    assert link.problems == ()
