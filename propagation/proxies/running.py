"""A command with a sidecar beside it: started, signalled and ended together, with the command's own exit status."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.identity.spiffe import Service, Workload
from bindtrace.propagation.proxies import registry
from bindtrace.propagation.proxies.file_names import endpoints_file
from bindtrace.propagation.proxies.files import CredentialFiles
from bindtrace.propagation.proxies.plan import Address
from bindtrace.propagation.workload.endpoint import Unreachable
from bindtrace.propagation.workload.identity import Identity

FORWARDED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
STARTS_WITHIN_S: Final = 20.0
ENDS_WITHIN_S: Final = 10.0
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  compared, never bound
log = logging.getLogger("bindtrace.run")


def environment_of(
    workload: Workload,
    variables: Mapping[str, tuple[str, str]],
    otlp: str | None,
    own: Mapping[str, str],
) -> dict[str, str]:
    """What the command's environment gains: `variables` are callee and URL by name. What `own` says of OTEL_* stays."""
    resource = f"deployment.environment.name={workload.environment},deployment.id={workload.deployment}"
    said = own.get("OTEL_RESOURCE_ATTRIBUTES")
    standard = {
        "OTEL_SERVICE_NAME": workload.service,
        "OTEL_PROPAGATORS": "tracecontext,baggage,binding",
        **({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp} if otlp else {}),
    }
    bindings = ",".join(f"{name}={callee}" for name, (callee, _) in sorted(variables.items()))
    return {
        **{name: value for name, value in standard.items() if not own.get(name)},
        "OTEL_RESOURCE_ATTRIBUTES": f"{resource},{said}" if said else resource,
        **({"BINDTRACE_BINDINGS": bindings} if bindings else {}),
        **{name: url for name, (_, url) in variables.items()},
    }


class Sidecar:
    """A proxy as a process of its own session, so that a terminal's Ctrl-C reaches the command first."""

    def __init__(self, command: Sequence[str | Path], ports: Iterable[Address]) -> None:
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            raise Refusal(
                f"the sidecar `{command[0]}` cannot be started: {error.strerror}",
                fix="give its path with --sidecar.",
            ) from error
        limit = time.monotonic() + STARTS_WITHIN_S
        for port in ports:
            while not _listens(port):
                if self.ended() or time.monotonic() > limit:
                    self.stop()
                    raise Refusal(
                        f"the sidecar does not listen on {port}",
                        fix="read what it wrote above; is the port taken?",
                    )
                time.sleep(0.05)

    def ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run(command: Sequence[str], environment: Mapping[str, str], sidecar: Sidecar | None) -> int:
    """The exit status of the command, 128 and the signal's number where one ended it; 1 where the sidecar ended first.

    Raises Refusal where it cannot be started.
    """
    try:
        process = subprocess.Popen(command, env=dict(environment))
    except OSError as error:
        raise Refusal(
            f"`{command[0]}` cannot be started: {error.strerror}", fix="check the command."
        ) from error

    def forward(number: int, _: FrameType | None) -> None:
        # a terminal sends Ctrl-C to the command as well
        if number != signal.SIGINT or not os.isatty(0):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        while True:
            try:
                status = process.wait(0.5 if sidecar else None)
                return 128 - status if status < 0 else status
            except subprocess.TimeoutExpired:
                if sidecar is not None and sidecar.ended():
                    log.error("event=sidecar_ended")
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(ENDS_WITHIN_S)
                    process.kill()
                    process.wait()
                    return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class FollowedRegistry:
    """Keeps the endpoint files of callees up to date, so that running callers see where a callee moved."""

    def __init__(
        self, identity: Identity, files: CredentialFiles, own: Service, callees: Iterable[str]
    ) -> None:
        self._identity, self._files, self._own, self._callees = identity, files, own, tuple(callees)
        self._written: dict[str, object] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="bindtrace-registry", daemon=True)

    def start(self) -> None:
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(10)

    def refresh(self) -> None:
        """Writes what changed. One that the registry no longer knows keeps its last endpoints. Raises Unreachable."""
        known = registry.read(self._identity.registry())
        for callee in self._callees:
            addresses = known.get(self._own._replace(service=callee), ())
            content = registry.endpoints(callee, addresses)
            if self._written.get(callee) != content and (addresses or callee not in self._written):
                self._files.put(endpoints_file(callee), content)
                self._written[callee] = content

    def _keep(self) -> None:
        while not self._ended.wait(max(1.0, self._identity.bundle.refresh_hint_s / 4)):
            try:
                self.refresh()
            except Unreachable as unreachable:
                log.info("event=registry_unreachable why=%s", unreachable)
            except Exception:
                log.exception("event=registry_failed")


def _listens(port: Address) -> bool:
    host = "" if port.host in _EVERYWHERE else port.host
    with contextlib.suppress(OSError), socket.create_connection((host, port.port), timeout=1):
        return True
    return False
