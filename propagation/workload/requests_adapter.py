"""A requests adapter that signs calls to one declared target and carries them over mTLS, newest generation first.

    session = requests.Session()
    session.mount("https://inventory:8443", BindingAdapter(identity, "https://inventory:8443", "inventory"))

Every attempt comes through `send`: retries and redirects are signed anew, or not at all where they lead elsewhere.
"""

from __future__ import annotations

import ssl
import threading
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from bindtrace.propagation import clock
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.guard.headers import canonical
from bindtrace.propagation.vocabulary import WIT_HEADER, WPT_HEADER
from bindtrace.propagation.workload.generation import Generation
from bindtrace.propagation.workload.identity import Identity
from bindtrace.propagation.workload.outgoing import Target, origin_of, sign, stamp

_OURS = frozenset((WIT_HEADER.encode(), WPT_HEADER.encode()))


class _Pinned(HTTPAdapter):
    """Connections by one context, which checks the peer's id itself; no other authority, no host name, no proxy."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *sizes: Any, **settings: Any) -> None:
        super().init_poolmanager(*sizes, **settings, ssl_context=self._context, assert_hostname=False)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return dict(host), {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: whatever the session's `verify` says, the context decides."""


class BindingAdapter(requests.adapters.BaseAdapter):
    """`url` is the declared origin, `target` a `Target` or the name of a service that this workload may call.

    Mount it at the same URL. Raises Refusal for a call to another origin, and without a credential.
    """

    def __init__(self, identity: Identity, url: str, target: Target | str) -> None:
        super().__init__()
        self._identity, self._origin = identity, origin_of(url)
        self._target = Target(identity.callee(target)) if isinstance(target, str) else target
        self._lock = threading.Lock()
        self._current: tuple[Generation, int, _Pinned] | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **settings: Any) -> requests.Response:
        url = str(request.url)
        if origin_of(url) != self._origin:
            raise Refusal(
                f"`{url.partition('?')[0]}` is not the declared target {'{}://{}:{}'.format(*self._origin)}",
                fix="mount the adapter at just that origin.",
            )
        generation, connections = self._connections()
        settings["proxies"] = None
        return connections.send(self._signed(request, generation), *args, **settings)

    def _signed(self, request: requests.PreparedRequest, generation: Generation) -> requests.PreparedRequest:
        """A copy: a redirect takes over the headers of the original, which must not have ours."""
        signed = request.copy()
        kept = {
            name: value
            for name, value in (signed.headers or {}).items()
            if canonical(_text(name).encode("latin-1", "replace")) not in _OURS
        }
        added = sign(
            generation,
            self._target,
            method=str(request.method),
            url=str(request.url),
            other_headers={_text(name).lower(): _text(value) for name, value in kept.items()},
            now_s=clock.now_unix_nano() / 1e9,
        )
        stamp(added.receipt)
        signed.headers = requests.structures.CaseInsensitiveDict({**kept, **dict(added.headers)})
        return signed

    def _connections(self) -> tuple[Generation, _Pinned]:
        """Those of the generation in force. Closing the older ones ends what rests, not what is under way."""
        generation, bundle = self._identity.generation, self._identity.bundle
        with self._lock:
            current = self._current
            if current is None or current[0] is not generation or current[1] != bundle.sequence:
                made = _Pinned(generation.client_context(bundle, self._target.callee))
                if current is not None:
                    current[2].close()
                self._current = current = generation, bundle.sequence, made
            return current[0], current[2]

    def close(self) -> None:
        with self._lock:
            if self._current is not None:
                self._current[2].close()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
