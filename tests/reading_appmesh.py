"""App Mesh's objects for tests, in two of their spellings, and what leads to what in them."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import appmesh, kubernetes
from bindtrace.propagation.platforms.linking import linked


def crds(text: str) -> Manifest:
    return kubernetes.read(Path("mesh.yaml"), dedent(text))


def api(*objects: dict[str, Any]) -> list[Manifest]:
    return [appmesh.read(Path(f"{n}.json"), json.dumps(o, indent=1)) for n, o in enumerate(objects)]


def edges(*manifests: Manifest) -> list[tuple[str, str]]:
    return [(g.caller, g.callee) for manifest in linked(manifests) for g in manifest.grants]
