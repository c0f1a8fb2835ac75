"""Manifests with pieces cut out, put in and moved: every reader says what is wrong, and none raises."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import FIXTURES

from bindtrace.propagation.manifest_pages import pages
from bindtrace.propagation.platforms import PLATFORMS
from bindtrace.propagation.platforms.linking import linked

OWN = """\
scope = "shop"
[services.ledger]
hosts = ["ledger.internal:8080"]
egress = ["203.0.113.7"]
[[grants]]
caller = "a"
callee = "ledger"
paths = ["/v1/**"]
[[probes]]
name = "lb"
addresses = ["10.0.0.0/8"]
[[exceptions]]
rule = "public-route"
reason = "soon"
until = 2026-12-31
"""
TEMPLATE = """\
Resources:
  Web:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !Sub "${Name}-mesh"
      VirtualNodeName: web
      Spec: { Backends: [{ VirtualService: { VirtualServiceName: !GetAtt L.VirtualServiceName } }] }
"""
PIECES = (
    "null", "7", "[]", "{}", '"x"', "true", "-", "[", "{", '"', "'", "\n", ":", "=", "[[", "\\", "${X}", "!Ref X", "*",
    "&a", "#", "//", "/*", "\u2028", "\x00", "1e999", "2026-01-01",
)  # fmt: skip


def originals() -> list[tuple[str, str]]:
    outside = sorted(
        path
        for pattern in (
            "vercel-bindings/*/*.json",
            "wrangler/*/*.jsonc",
            "wrangler/*/*.toml",
            "aws-app-mesh/*.yaml",
        )
        for path in FIXTURES.glob(pattern)
    )
    own = [("bindtrace.toml", OWN), ("mesh.yaml", TEMPLATE)]
    return own + [(path.name, path.read_text()) for path in outside]


def damaged(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 5)):
        at, other = chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)
        cut, put = chance.choice(
            [
                (chance.randint(1, 30), ""),
                (0, chance.choice(PIECES)),
                (chance.randint(1, 8), chance.choice(PIECES)),
                (0, text[other : other + chance.randint(1, 60)]),
            ]
        )
        text = text[:at] + put + text[at + cut :]
    return text


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_manifest_is_read_and_every_line_is_one_of_its_own(seed: int) -> None:
    chance, texts = random.Random(seed), originals()  # damage that repeats

    for _ in range(250):
        name, text = chance.choice(texts)
        text = damaged(text, chance)
        last = len(text.splitlines()) + 1  # YAML ends a line at U+2028 too
        for platform in PLATFORMS:
            manifest = platform.read(Path(name), text)

            rows = (*manifest.grants, *manifest.exposures, *manifest.services, *manifest.problems)
            assert all(1 <= row.line <= last for row in rows), (platform.NAME, text)
            assert list(pages(linked([manifest])))
            assert json.dumps([str(problem) for problem in manifest.problems])
