"""`bindtrace policy check`: one call, three answers, and the line behind each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bindtrace.propagation.command import bindtrace

VERCEL = """\
{
  "services": {
    "web": { "root": "web", "bindings": [
      { "service": "ledger", "format": "url", "env": "LEDGER_URL" }
    ] },
    "ledger": { "root": "ledger" }
  },
  "rewrites": [
    { "source": "/shop/(.*)", "destination": { "service": "web" } }
  ]
}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "vercel.json"
    path.write_text(VERCEL)
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(bindtrace, ["policy", "check", *map(str, words)])


@pytest.mark.parametrize(
    ("call", "status", "verdict", "line"),
    [
        (("web", "ledger"), 0, "allowed", 4),
        (("web", "ledger", "get", "/v1"), 0, "allowed", 4),
        (("ledger", "web"), 1, "denied", 6),
        (("(external)", "web", "GET", "/shop/cart"), 0, "allowed", 9),
        (("(external)", "web", "GET", "/admin"), 1, "denied", 3),
        (("(external)", "ledger"), 1, "denied", 6),
        (("mars", "venus"), 2, "unknown", None),
    ],
)
def test_a_call_is_judged_by_its_line(
    manifest: Path, call: tuple[str, ...], status: int, verdict: str, line: int | None
) -> None:
    result = run(*call, "--manifest", manifest, "-f", "json")
    told = json.loads(result.stdout)

    assert (result.exit_code, told["verdict"], told["line"]) == (status, verdict, line)


@pytest.mark.slow
def test_environment_and_methods_count_where_a_grant_names_them(tmp_path: Path) -> None:
    path = tmp_path / "bindtrace.toml"
    path.write_text('[[grants]]\ncaller = "web"\ncallee = "ledger"\nenvironment = "production"\n')

    assert run("web", "ledger", "--manifest", path, "--env", "production").exit_code == 0
    assert run("web", "ledger", "--manifest", path, "--env", "preview").exit_code == 1


@pytest.mark.slow
def test_a_denial_helps_further(manifest: Path) -> None:
    denied = run("ledger", "web", "--manifest", manifest)
    mistyped = run("web", "leger", "--manifest", manifest)
    outside = run("(external)", "ledger", "--manifest", manifest)

    assert "to change" in denied.stdout
    assert "vercel.json:6" in denied.stdout.replace("\n" + " " * 17, "")
    assert "no manifest names leger; ledger" in mistyped.stdout
    assert "none leads to ledger" in outside.stdout


@pytest.mark.parametrize(
    "words", [("web", "ledger", "GET", "v1"), ("web",), ("web", "ledger", "GET", "/", "/more")]
)
def test_what_is_no_call_is_refused(manifest: Path, words: tuple[str, ...]) -> None:
    assert run(*words, "--manifest", manifest).exit_code == 2


def test_a_name_cannot_drive_the_terminal(manifest: Path) -> None:
    assert "\x1b" not in run("\x1b[31mweb", "ledger", "--manifest", manifest).stdout


def test_what_a_mesh_asks_for_and_nobody_said_is_named(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: reviews, namespace: shop}\n"
        "spec:\n  rules:\n  - from: [{source: {serviceAccounts: [web]}}]\n    to: [{operation: {methods: [GET]}}]\n"
    )
    workload = tmp_path / "web.yaml"
    workload.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n"
        "spec: {template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: web}}}\n"
    )
    call = ["web.shop", "reviews.shop", "--manifest", str(policy)]

    unsaid = run(*call)
    by_workload = run(*call, "--manifest", workload, "-f", "json")

    assert (unsaid.exit_code, by_workload.exit_code) == (2, 2)
    assert "not shown      the caller's service account, the method" in unsaid.output
    assert json.loads(by_workload.stdout)["missing"] == ["the method"]
