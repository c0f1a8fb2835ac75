"""How the receiver's doors are locked: TLS, client certificates, tokens, drain signatures. Read once at the start."""

from __future__ import annotations

import argparse
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from bindtrace.collector.receive.auth import Tokens, read_secret, read_tokens
from bindtrace.propagation.errors import Refusal


@dataclass(frozen=True, slots=True)
class DoorFiles:
    """What `serve` is given; a None door is open."""

    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    token_file: Path | None = None
    drain_secret_file: Path | None = None
    api_token_file: Path | None = None

    @property
    def locks_api(self) -> bool:
        """Where other machines reach the API it speaks TLS with the same certificate; its tokens are its own."""
        return self.tls_cert is not None and self.api_token_file is not None

    @property
    def locks_grpc(self) -> bool:
        """Encrypted, and only for senders that prove who they are."""
        return self.tls_cert is not None and (self.tls_client_ca is not None or self.token_file is not None)

    @property
    def locks_http(self) -> bool:
        """The same; a drain proves itself by its signature."""
        return self.locks_grpc or (self.tls_cert is not None and self.drain_secret_file is not None)

    def arguments(self) -> list[str]:
        """As a receiver process reads them."""
        return [
            part
            for name in self.__slots__
            if (path := getattr(self, name)) is not None
            for part in (f"--{name.replace('_', '-')}", str(path))
        ]

    @classmethod
    def declare(cls, parser: argparse.ArgumentParser) -> None:
        for name in cls.__slots__:
            parser.add_argument(f"--{name.replace('_', '-')}", type=Path)

    @classmethod
    def of(cls, options: argparse.Namespace) -> DoorFiles:
        return cls(*(getattr(options, name) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM bytes for gRPC and a context for HTTP, of the same files."""

    context: ssl.SSLContext
    cert: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None


@dataclass(frozen=True, slots=True)
class Doors:
    """The files, read and found to be right."""

    tls: Tls | None = None
    tokens: Tokens = field(default_factory=Tokens)
    api_tokens: Tokens = field(default_factory=Tokens)
    drain_secret: bytes = field(default=b"", repr=False)


def open_doors(files: DoorFiles) -> Doors:
    """Reads and checks the files. Raises `Refusal`."""
    return Doors(
        _tls(files),
        read_tokens(files.token_file) if files.token_file else Tokens(),
        read_tokens(files.api_token_file) if files.api_token_file else Tokens(),
        read_secret(files.drain_secret_file) if files.drain_secret_file else b"",
    )


def api_context(files: DoorFiles) -> ssl.SSLContext:
    """TLS of the API: the receivers' certificate; who asks shows a token and needs no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    assert files.tls_cert is not None
    context.load_cert_chain(files.tls_cert, files.tls_key)
    return context


def _tls(files: DoorFiles) -> Tls | None:
    if files.tls_cert is None or files.tls_key is None:
        if files.tls_cert or files.tls_key or files.tls_client_ca:
            raise Refusal("TLS needs a certificate and its key", fix="give --tls-cert and --tls-key")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.tls_cert, files.tls_key)
        if files.tls_client_ca is not None:
            context.load_verify_locations(files.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return Tls(
            context,
            files.tls_cert.read_bytes(),
            files.tls_key.read_bytes(),
            files.tls_client_ca.read_bytes() if files.tls_client_ca else None,
        )
    except OSError as error:  # ssl.SSLError is one
        named = ", ".join(str(path) for path in (files.tls_cert, files.tls_key, files.tls_client_ca) if path)
        raise Refusal(
            f"cannot use {named}: {error.strerror or error}", fix="give a PEM certificate chain and its key"
        ) from None
