"""Services of a small shop with real Envoys beside them, and the authority that names them."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from interop.peers import peer
from serving import collecting
from support import listening, wait_for

from bindtrace.propagation.authority.issuing import Authority
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.identity import certificates, keys, tls
from bindtrace.propagation.identity.spiffe import Workload
from bindtrace.propagation.proxies.files import CredentialFiles
from bindtrace.propagation.workload import joining
from bindtrace.propagation.workload.identity import Identity

BINDTRACE = str(Path(sys.executable).parent / "bindtrace")
TRUST_DOMAIN = "shop.example"
MANIFEST = """
scope = "shop"
[[grants]]
caller = "orders"
callee = "inventory"
[[grants]]
caller = "stranger"
callee = "orders"
"""
"""Orders may call inventory; the stranger is known, and may not."""


def run(*words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([BINDTRACE, *map(str, words)], capture_output=True, text=True, timeout=60)
    assert not check or done.returncode == 0, done.stderr
    return done


@contextlib.contextmanager
def process(command: list[object], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as errors:
        started = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
            env={**os.environ, **environment},
        )  # fmt: skip
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(10)


class Application:
    """A service that knows nothing of all this: answers 200, and keeps the headers that reached it."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        outer = self

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.seen.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Shop:
    """`manifest` is given to the authority and to every proxy."""

    folder: Path
    manifest: Path
    collector: str = "-"
    api: str = ""
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def authority(self) -> Path:
        return self.folder / "ca"

    def begin(self, *lives: str, proof: str = "any") -> None:
        run("authority", "init", self.authority, "--trust-domain", TRUST_DOMAIN, *lives)
        run("authority", "register", self.authority, "--manifest", self.manifest, "--proof", proof)
        told = {} if self.collector == "-" else {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.collector}"}
        self.stack.enter_context(
            process([BINDTRACE, "authority", "serve", self.authority], self.folder / "authority.log", **told)
        )
        wait_for((self.authority / "authority.sock").exists, what="the authority")

    def invitation(
        self, service: str, environment: str = "production", *addresses: str, deployment: str = "1"
    ) -> Path:
        """As `bindtrace authority issue` writes it, without a process a workload."""
        authority, now_s = Authority(self.authority), now_unix_nano() // 10**9
        workload = Workload(TRUST_DOMAIN, "default", environment, service, deployment)
        authority.register(workload, now_s, addresses)
        secret = authority.invite(workload, now_s)
        out = self.folder / f"{service}-{secret[:6].encode().hex()}.join"
        address = f"unix:{self.authority / 'authority.sock'}"
        joining.write(out, joining.Invitation(address, workload, secret, authority.bundle()))
        return out

    def identity(self, service: str, environment: str = "production") -> Identity:
        identity = Identity.join(self.invitation(service, environment))
        self.stack.callback(identity.close)
        return identity

    def files(self, service: str) -> Path:
        """Credentials that a proxy reads, kept up to date while the shop is there."""
        folder = self.folder / f"{service}.files"
        files = CredentialFiles(folder)
        self.identity(service).subscribe(files.follow)
        return folder

    def leaf(self, *, expired: bool) -> tuple[keys.PrivateKey, x509.Certificate]:
        """Of clerk: an hour too old by the shop's own authority, or good by another of the same name."""
        key, now_s = keys.generate(), now_unix_nano() // 10**9
        clerk = Workload(TRUST_DOMAIN, "default", "production", "clerk", "1")
        if expired:
            signed = {"now_s": now_s - 7200, "life_s": 3600}
            (ca,) = (self.authority / "keys").glob("ca-*.pem")
            signer = keys.load_private_pem(ca.read_bytes())
            (issuer,) = Authority(self.authority).bundle().authorities
        else:
            signed = {"now_s": now_s}
            signer = keys.generate()
            issuer = certificates.authority(TRUST_DOMAIN, 1, signer, now_s=now_s)
        return key, certificates.leaf(clerk, keys.public_of(key), issuer, signer, **signed)

    def application(self) -> Application:
        app = Application()
        self.stack.callback(app.close)
        return app

    def inventory(self, app: Application, inbound: int, *public: int) -> None:
        """Inventory's own Envoy, which enforces at `inbound`, and takes anybody's calls at `public`."""
        listeners = [word for port in public for word in ("--public", f"127.0.0.1:{port}")]
        self.envoy(
            "inventory", "--files", self.files("inventory"), "--app", f"127.0.0.1:{app.port}",
            "--inbound", f"127.0.0.1:{inbound}", *listeners, "--mode", "enforce", ports=[inbound, *public],
        )  # fmt: skip

    def envoy(self, service: str, *words: object, ports: list[int]) -> Path:
        """A running Envoy with our configuration, once it listens on `ports`. Its configuration."""
        binary = peer("envoy")
        path = self.folder / f"{service}.yaml"
        path.write_text(
            run(
                "proxy", "envoy", "--service", service, "--trust-domain", TRUST_DOMAIN,
                "--manifest", self.manifest, "--otlp", self.collector, *words,
            ).stdout
        )  # fmt: skip
        log = self.folder / f"{service}.log"
        layer = "{name: tests, static_layer: {tracing.opentelemetry.min_flush_spans: 1}}"
        flushing = f"{{layered_runtime: {{layers: [{layer}]}}, stats_flush_interval: 1s}}"
        command = [
            binary,
            "-c",
            path,
            "--config-yaml",
            flushing,
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
        ]
        started = self.stack.enter_context(process([*command, "-l", "warning"], log))

        def ready() -> bool:
            assert started.poll() is None, log.read_text()[-3000:]
            return all(map(listening, ports))

        wait_for(ready, seconds=30, what=f"the Envoy of {service}")
        return path


@contextlib.contextmanager
def shop_in(folder: Path, manifest: str = MANIFEST, *lives: str) -> Iterator[Shop]:
    """A shop with its authority and a collector, which must end well. `lives` are options of the authority."""
    path = folder / "bindtrace.toml"
    path.write_text(manifest)
    with collecting(folder / "t.duckdb", "--manifest", str(path), receivers=1) as collector:
        shop = Shop(folder, path, collector.endpoints["grpc"], collector.endpoints["api"])
        with shop.stack:
            shop.begin(*lives)
            yield shop
        assert collector.stop() == 0


def get(port: int, path: str = "/", method: str = "GET", **headers: str) -> int:
    """The status of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(
        method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    status = connection.getresponse().status
    connection.close()
    return status


def called_with(identity: Identity | None, port: int, path: str, **headers: str) -> int:
    """The status of one request over TLS, with the certificate of anybody or with none."""
    if identity is None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        own = identity.generation
        context = tls.client_context(
            own.tls_key, own.certificate, identity.bundle.authorities, expects=lambda _: True
        )
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status


def traced() -> tuple[str, dict[str, str]]:
    """A trace id of its own, and the header that carries it."""
    trace_id = os.urandom(16).hex()
    return trace_id, {"traceparent": f"00-{trace_id}-{os.urandom(8).hex()}-01"}


def reported(endpoint: str, name: str, **asked: Any) -> list[dict[str, Any]]:
    """The rows of a report of the running collector."""
    host, _, port = endpoint.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    query = "&".join(f"{key}={value}" for key, value in asked.items())
    connection.request("GET", f"/api/reports/{name}?{query}")
    rows = json.loads(connection.getresponse().read())
    connection.close()
    return list(rows)


def hop_of(endpoint: str, trace_id: str, callee: str = "inventory", **settled: Any) -> dict[str, Any]:
    """The one hop to the callee in this trace, once it says what it is to settle at.

    Its witnesses (caller, callee, the authority's log) send in batches of their own: its first state is not its last.
    """
    seen: list[dict[str, Any]] = []

    def found() -> list[dict[str, Any]]:
        rows = reported(endpoint, "hops", since="1h", limit=100000)
        seen[:] = [row for row in rows if row["trace_id"] == trace_id and row["callee"] == callee]
        return [row for row in seen if settled.items() <= row.items()]

    (hop,) = wait_for(found, seconds=25, what=lambda: f"{settled} in {trace_id}; last seen: {seen}")
    return hop
