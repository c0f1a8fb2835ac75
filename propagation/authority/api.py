"""The authority's endpoints, as an ASGI application: bundle, policy, registry, join, renew. Answers every request.

It is served over TLS only, on a socket file or a port; `renew` asks for the certificate of the connection, `join`
for a secret, the rest says what every workload may know.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from bindtrace.propagation import clock
from bindtrace.propagation.absent import Absent
from bindtrace.propagation.authority.issuing import Authority, Credentials
from bindtrace.propagation.authority.telling import tell_issued
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.guard.request import BOUNDARY, Stamp
from bindtrace.propagation.identity import bundle, certificates, policy
from bindtrace.propagation.identity.encoding import read_object

MAX_BODY_BYTES: Final = 32 * 1024
_JSON: Final = (b"content-type", b"application/json")
log = logging.getLogger("bindtrace.authority")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, bytes]


class AuthorityApp:
    """One per authority process."""

    def __init__(self, authority: Authority, now_unix_nano: Callable[[], int] = clock.now_unix_nano) -> None:
        self._authority, self._now_unix_nano = authority, now_unix_nano
        self._routes: dict[tuple[str, str], Callable[[bytes, bytes | None, int], Answer]] = {
            ("GET", "/v1/bundle"): self._bundle,
            ("GET", "/v1/policy"): self._policy,
            ("GET", "/v1/registry"): self._registry,
            ("POST", "/v1/join"): self._join,
            ("POST", "/v1/renew"): self._renew,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        route = self._routes.get((scope["method"], scope["path"]))
        body = await _body(receive) if route else b""
        if route is None or body is None:
            await _send(send, *_refused(404 if route is None else 413, "path" if route is None else "length"))
            return
        stamp = (scope.get("extensions") or {}).get(BOUNDARY)
        peer = stamp.peer if isinstance(stamp, Stamp) else None
        try:
            status, content = route(body, peer, self._now_unix_nano() // 10**9)
        except Refusal as refusal:
            log.warning("event=cannot_issue why=%s", refusal)
            status, content = _refused(503, "authority")
        asked = dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        if status == 200 and scope["method"] == "GET" and asked == etag:
            status, content = 304, b""
        await _send(send, status, content, etag)

    def _bundle(self, body: bytes, peer: bytes | None, now_s: int) -> Answer:
        return 200, bundle.serialize(self._authority.bundle())

    def _policy(self, body: bytes, peer: bytes | None, now_s: int) -> Answer:
        return 200, policy.serialize(self._authority.policy(now_s))

    def _registry(self, body: bytes, peer: bytes | None, now_s: int) -> Answer:
        rows = [
            {"id": str(found.workload), "state": found.state, "addresses": list(found.addresses)}
            for found in self._authority.store.deployments(self._authority.trust_domain)
        ]
        return 200, _json(rows)

    def _join(self, body: bytes, peer: bytes | None, now_s: int) -> Answer:
        asked = read_object(body)
        if isinstance(asked, Absent) or not isinstance(asked.get("secret"), str):
            return _refused(400, "json")
        return self._credentials(self._authority.join(asked["secret"], _csrs(asked), now_s))

    def _renew(self, body: bytes, peer: bytes | None, now_s: int) -> Answer:
        asked = read_object(body)
        if isinstance(asked, Absent):
            return _refused(400, "json")
        return self._credentials(self._authority.renew(peer or b"", _csrs(asked), now_s))

    def _credentials(self, issued: Credentials | Absent) -> Answer:
        if isinstance(issued, Absent):
            log.info("event=not_issued reason=%s", issued.reason)
            return _refused(403, issued.reason)
        tell_issued(issued)
        return 200, _json(
            {
                "workload": str(issued.workload),
                "certificate": certificates.pem(issued.certificate).decode("ascii"),
                "tokens": [
                    {
                        "binding": token.binding,
                        "callee": token.callee,
                        "proof": token.proof,
                        "token": token.token,
                        "expires": token.expires_s,
                    }
                    for token in issued.tokens
                ],
            }
        )


def _csrs(asked: dict[str, Any]) -> list[bytes]:
    requests = asked.get("requests")
    if not isinstance(requests, list) or not all(isinstance(request, str) for request in requests[:2]):
        return []
    return [request.encode("utf-8", "replace") for request in requests[:3]]


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def _refused(status: int, reason: str) -> Answer:
    return status, _json({"reason": reason})


async def _body(receive: Receive) -> bytes | None:
    """None where it is too long, or its sender is gone."""
    content = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        content += bytes(message.get("body", b""))
        if len(content) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return content


async def _send(send: Send, status: int, content: bytes, etag: str = "") -> None:
    headers = [_JSON, (b"cache-control", b"no-store"), (b"content-length", str(len(content)).encode())]
    if etag and status in (200, 304):
        headers.append((b"etag", etag.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
