"""A Worker's configuration for tests, and the problems in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import cloudflare


def read(config: Any, name: str = "wrangler.jsonc") -> Manifest:
    text = config if isinstance(config, str) else json.dumps(config, indent=1)
    return cloudflare.read(Path(name), text)


def worker(**more: Any) -> Manifest:
    return read({"name": "checkout", "workers_dev": False} | more)


def codes(manifest: Manifest) -> list[tuple[str, bool]]:
    return [(problem.code, problem.fatal) for problem in manifest.problems]
