"""TLS contexts of one generation: TLS 1.3, both sides known, no ticket, no resumption.

A resumed session keeps the certificate and the trust of the day it began, so there are none.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cryptography import x509

from bindtrace.propagation.absent import Absent
from bindtrace.propagation.clock import now_unix_nano
from bindtrace.propagation.identity.certificates import pem
from bindtrace.propagation.identity.keys import PrivateKey, private_pem
from bindtrace.propagation.identity.peer import issued_by, read_leaf
from bindtrace.propagation.identity.spiffe import Workload


def server_context(
    key: PrivateKey,
    leaf: x509.Certificate,
    authorities: Iterable[x509.Certificate],
    *,
    client: Literal["required", "optional"] = "required",
) -> ssl.SSLContext:
    """Demands a client certificate that one of `authorities` signed; `optional` takes none too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED if client == "required" else ssl.CERT_OPTIONAL
    return _filled(context, key, leaf, authorities)


def client_context(
    key: PrivateKey | None,
    leaf: x509.Certificate | None,
    authorities: Iterable[x509.Certificate],
    *,
    expects: Callable[[Workload], bool],
) -> ssl.SSLContext:
    """Shakes hands only with a server whose one URI `expects` takes; without a key of its own, as nobody.

    The check is part of the handshake, on sockets and in event loops, so no library can send a byte before it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it knows no URI names
    trusted = tuple(authorities)

    class Socket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            _check(self.getpeercert(True), trusted, expects)

    class Object(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            _check(self.getpeercert(True), trusted, expects)

    context.sslsocket_class, context.sslobject_class = Socket, Object
    return _filled(context, key, leaf, trusted)


def _check(
    content: bytes | None, authorities: tuple[x509.Certificate, ...], expects: Callable[[Workload], bool]
) -> None:
    """Raises ssl.SSLCertVerificationError unless the certificate is in profile, good now and of whom is expected."""
    leaf = read_leaf(content or b"")
    now_s = now_unix_nano() / 1e9
    if isinstance(leaf, Absent) or isinstance(leaf.profile, Absent):
        raise ssl.SSLCertVerificationError("the server's certificate is not by the profile of a workload")
    if not issued_by(leaf, authorities, now_s=now_s) or not leaf.not_before_s <= now_s < leaf.not_after_s:
        raise ssl.SSLCertVerificationError("the server's certificate is not good now")
    if not expects(leaf.profile[0]):
        raise ssl.SSLCertVerificationError(f"the server is {leaf.profile[0]}, which is not who was called")


def _filled(
    context: ssl.SSLContext,
    key: PrivateKey | None,
    leaf: x509.Certificate | None,
    authorities: Iterable[x509.Certificate],
) -> ssl.SSLContext:
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET
    context.load_verify_locations(cadata="".join(pem(authority).decode("ascii") for authority in authorities))
    if key is not None and leaf is not None:
        with _as_file(private_pem(key) + pem(leaf)) as path:
            context.load_cert_chain(path)
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path that only this process can read: OpenSSL loads a key from nothing else. In memory where there is Linux."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("key")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as folder:  # made with mode 0700
        path = Path(folder) / "key.pem"
        path.write_bytes(content)
        yield str(path)


def following(current: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """A server context that takes leaf and trust of each handshake from `current()`.

    Swapped in the SNI callback, which OpenSSL calls without SNI too: loading a chain into a live context from
    another thread loses handshakes (17 of 826), this loses none.
    """

    def swap(connection: ssl.SSLObject, name: str | None, base: ssl.SSLContext) -> None:
        connection.context = current()

    context = current()
    base = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    base.minimum_version = base.maximum_version = ssl.TLSVersion.TLSv1_3
    base.options |= ssl.OP_NO_TICKET
    base.num_tickets = 0
    base.verify_mode = context.verify_mode
    base.sni_callback = swap
    return base
