"""Talking to the authority: HTTP over TLS on a socket file or a port, with the authority's own id checked first."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.identity import tls
from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.identity.encoding import read_object
from bindtrace.propagation.identity.spiffe import Workload
from bindtrace.propagation.workload.generation import Generation

TIMEOUT_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024


class Unreachable(Exception):  # noqa: N818  not a fault of ours: the authority may be down, and is asked again
    """The authority did not answer; what it said or what broke, without secrets."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        super().__init__("authority", timeout=TIMEOUT_S)
        self._address, self._context = address, context

    def connect(self) -> None:
        if self._address.startswith("unix:"):
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(TIMEOUT_S)
            plain.connect(self._address.removeprefix("unix:"))
        else:
            host, _, port = self._address.rpartition(":")
            plain = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
        try:
            self.sock = self._context.wrap_socket(plain)
        except BaseException:
            plain.close()
            raise


class Endpoint:
    """The authority at `address`, as which only `authority` may answer."""

    def __init__(self, address: str, authority: Workload) -> None:
        self.address, self.authority = address, authority

    def get(self, path: str, bundle: Bundle, etag: str | None = None) -> tuple[bytes, str | None] | None:
        """The content and its ETag; None where it is what `etag` names. Raises Unreachable."""
        headers = {"if-none-match": etag} if etag else {}
        status, content, found = self._ask("GET", path, None, headers, bundle, None)
        if status == 304:
            return None
        if status != 200:
            raise Unreachable(f"{path} was answered {status}")
        return content, found

    def post(
        self, path: str, body: Mapping[str, Any], bundle: Bundle, own: Generation | None
    ) -> dict[str, Any] | Absent:
        """The answer, or `Absent` with the authority's reason for a refusal. Raises Unreachable."""
        status, content, _ = self._ask("POST", path, json.dumps(body).encode(), {}, bundle, own)
        answer = read_object(content)
        if status == 403 and not isinstance(answer, Absent):
            return Absent(str(answer.get("reason"))[:64])
        if status != 200 or isinstance(answer, Absent):
            raise Unreachable(f"{path} was answered {status}")
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        bundle: Bundle,
        own: Generation | None,
    ) -> tuple[int, bytes, str | None]:
        context = tls.client_context(
            own.tls_key if own else None,
            own.certificate if own else None,
            bundle.authorities,
            expects=lambda found: found == self.authority,
        )
        connection = _Connection(self.address, context)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"{self.address}: {error}") from error
        finally:
            connection.close()
        if len(content) > MAX_ANSWER_BYTES:
            raise Unreachable(f"{path} was answered with too much")
        return answer.status, content, answer.getheader("etag")
