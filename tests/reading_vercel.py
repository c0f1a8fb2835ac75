"""Vercel's manifests for tests: a small one in each of its forms, and what is fatal in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bindtrace.propagation.manifest import Manifest
from bindtrace.propagation.platforms import vercel

BINDING = {"type": "service", "service": "api", "format": "url", "env": "API_URL"}


def read(config: Any) -> Manifest:
    text = config if isinstance(config, str) else json.dumps(config, indent=2)
    return vercel.read(Path("vercel.json"), text)


def fatal(manifest: Manifest) -> list[str]:
    return [problem.code for problem in manifest.problems if problem.fatal]


def web_binding(**changes: Any) -> dict[str, Any]:
    binding = {key: value for key, value in (BINDING | changes).items() if value is not None}
    return {"services": {"web": {"root": ".", "bindings": [binding]}, "api": {"root": "api/"}}}


TOML = """\
relatedProjects = [
  "prj_123",
]

[services.web]
root = "apps/web/"

[[services.web.bindings]]
service = "api"
format = "url"
env = "API_URL"

[services.api]
root = "svc/api/"
bindings = [ { service = "api", format = "url", env = "1ST" } ]

[daemons.sync]
[[daemons.sync.bindings]]
service = "api"
format = "url"
env = "SYNC_API_URL"

[[rewrites]]
source = "/(.*)"
destination = { service = "web" }
"""
