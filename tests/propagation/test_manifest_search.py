"""Manifests of a folder and of standard input, as `bindtrace manifest` and every `--manifest` take them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.manifest_command import manifest
from bindtrace.propagation.platforms import MAX_BYTES, files_of, read_manifests

POLICY = (
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
    "metadata: {name: open, namespace: shop}\nspec: {rules: [{}]}\n"
)


def test_a_folder_is_searched_for_what_platforms_know(tmp_path: Path) -> None:
    for name, text in {
        "vercel.json": "{}",
        "mesh/policy.yaml": POLICY,
        "mesh/values.yaml": "replicas: 3\n",
        "mesh/.git/policy.yaml": POLICY,
        "web/node_modules/x/vercel.json": "{}",
        "bindtrace.toml": "",
        "chart/templates/policy.yaml": POLICY.replace("shop", "{{ .Release.Namespace }}"),
        "notes.md": POLICY,
        "binary.json": "é",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode("latin-1") if name == "binary.json" else text.encode())

    found = [file.relative_to(tmp_path).as_posix() for file in files_of([tmp_path])]

    assert found == ["bindtrace.toml", "vercel.json", "mesh/policy.yaml"]
    assert {one.platform for one in read_manifests([tmp_path])} == {"bindtrace", "vercel", "istio"}


def test_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="holds no manifest"):
        list(files_of([tmp_path]))


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        (POLICY, "istio"),
        ('{"services": {"a": {"root": "a"}}}', "vercel"),
        ('scope = "x"\n[services.a]\n', "bindtrace"),
    ],
)
def test_standard_input_is_read_as_what_it_holds(text: str, platform: str) -> None:
    said = CliRunner().invoke(manifest, ["-"], input=text)

    assert (said.exit_code, f": {platform}" in said.output) == (0, True), said.output


def test_standard_input_that_nobody_knows_or_is_too_much_is_refused() -> None:
    assert "is not a manifest" in CliRunner().invoke(manifest, ["-"], input="hello\n").output
    assert "is over" in CliRunner().invoke(manifest, ["-"], input="x" * (MAX_BYTES + 1)).output


def test_policies_are_shown_in_their_order_with_callee_clauses_and_lines() -> None:
    deny = POLICY.replace("{rules: [{}]}", "{action: DENY, rules: [{to: [{operation: {methods: [PUT]}}]}]}")

    said = CliRunner().invoke(manifest, ["-"], input=f"{POLICY}---\n{deny}").output

    assert said.index("shop/open (deny)  line 6") < said.index("shop/open (allow)  line 1")
    assert "to  callee_namespace=shop" in said
    assert ":9  method=PUT" in said


def test_a_template_that_is_named_says_how_to_render_it(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY + "{{- if .Values.strict }}\n")

    said = CliRunner().invoke(manifest, [str(tmp_path / "policy.yaml")])

    assert (said.exit_code, "helm template CHART | bindtrace manifest -" in said.output) == (1, True), (
        said.output
    )
