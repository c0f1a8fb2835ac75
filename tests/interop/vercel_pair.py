"""A Next.js frontend and a FastAPI backend behind a public edge, all real and on loopback, as Vercel would run them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from certificates import certificate
from interop.peers import CACHE, peer
from support import free_port, listening, wait_for

HERE = Path(__file__).parent / "vercel_shop"
ROOT = Path(__file__).parents[2]
MANIFEST = HERE / "vercel.json"
PUBLIC = "shop-git-main-acme.vercel.app"
BINDING = "backend-5f1c.platform.example"
"""How a platform may call the inside: a name that says nothing (Vercel's form is not documented)."""


class Pair(NamedTuple):
    """Where the frontend is asked, and the public host of the deployment, with its port on this machine."""

    url: str
    public_host: str

    def ask(self, path: str) -> None:
        """One request from outside; raises where the shop does not answer."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            assert b"apples" in answer.read()


def page(title: str, language: str) -> str:
    """The code of a section of docs/senders.md: what a person would copy."""
    text = (ROOT / "docs" / "senders.md").read_text()
    section = re.split(r"^##+ ", text.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert found, f"docs/senders.md has no {language} under {title}"
    return str(found[0])


def built(instrumentation: str) -> Path:
    """The frontend with this instrumentation.js, built once for all runs."""
    peer("next")
    sources = {path.relative_to(HERE): path.read_bytes() for path in sorted((HERE / "app").rglob("*.js"))}
    sources[Path("instrumentation.js")] = instrumentation.encode()
    sources[Path("service-binding.mjs")] = (ROOT / "propagation" / "js" / "service-binding.mjs").read_bytes()
    digest = hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()[:16]
    place = CACHE / "next" / f"shop-{digest}"
    with (CACHE / "next" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "built").exists():
            shutil.rmtree(place, ignore_errors=True)
            for name, content in sources.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(content)
            done = subprocess.run(
                ["node", str(peer("next") / "dist/bin/next"), "build"], cwd=place, env=_plain(), text=True,
                capture_output=True, timeout=250, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            (place / "built").touch()
    return place


@contextlib.contextmanager
def shop(
    folder: Path,
    otlp: str,
    instrumentation: str,
    backend_source: str,
    backend_settings: Mapping[str, str],
    frontend_settings: Mapping[str, str],
) -> Iterator[Pair]:
    """The pair, once both answer, exporting to `otlp` (HOST:PORT). Ends every process at the end."""
    place, fastapi = built(instrumentation), peer("fastapi").parent
    edge, frontend, backend = free_port(), free_port(), free_port()
    certificate("edge", certificate("ca", None, folder), folder, (PUBLIC,))
    (folder / "main.py").write_text(backend_source)
    exporting = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{otlp}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    vercel = {
        "VERCEL_URL": f"{PUBLIC}:{edge}",
        "VERCEL_ENV": "production",
        "VERCEL_PROJECT_ID": "prj_shop",
        "VERCEL_DEPLOYMENT_ID": "dpl_1",
        "BACKEND_URL": f"http://{BINDING}:{backend}",
        "PASTED_HOST": f"{PUBLIC}:{edge}",
        "NODE_ENV": "production",
        "NODE_OPTIONS": f"--require {HERE / 'hosts.cjs'}",
        "NODE_EXTRA_CA_CERTS": str(folder / "ca.pem"),
    }
    python = {
        "PYTHONPATH": f"{fastapi}{os.pathsep}{folder}",
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        "OTEL_SERVICE_NAME": "backend",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    next_start = [str(peer("next") / "dist/bin/next"), "start", "-H", "127.0.0.1", "-p", str(frontend)]
    uvicorn = ["-m", "uvicorn", "main:app", "--port", str(backend), "--log-level", "warning"]
    ports = [str(port) for port in (edge, frontend, backend)]
    with contextlib.ExitStack() as stack:
        for name, port, command, cwd, settings in (
            ("backend", backend, [sys.executable, *uvicorn], folder, exporting | python | dict(backend_settings)),
            ("edge", edge, ["node", str(HERE / "edge.mjs"), str(folder), *ports], folder, {}),
            ("frontend", frontend, ["node", *next_start], place, exporting | vercel | dict(frontend_settings)),
        ):  # fmt: skip
            stack.enter_context(_running(name, port, command, cwd, _plain() | settings, folder))
        yield Pair(f"http://127.0.0.1:{frontend}", f"{PUBLIC}:{edge}")


@contextlib.contextmanager
def _running(
    name: str, port: int, command: list[str], cwd: Path, environment: Mapping[str, str], logs: Path
) -> Iterator[None]:
    log = logs / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        wait_for(lambda: _listens(process, port, log), seconds=60, what=f"the {name}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _listens(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-2000:]
    return listening(port)


def _plain() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "NEXT_TELEMETRY_DISABLED": "1"}
