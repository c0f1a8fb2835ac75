"""Inflates gzip, deflate and zstd bodies piece by piece under a hard limit of the output. No I/O here."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import zstandard

PIECE_BYTES = 256 * 1024
_MAX_MEMBERS = 1000  # real senders write one; each restart copies the rest of its chunk
_MAX_ZSTD_WINDOW = 8 * 1024 * 1024  # what RFC 8878 recommends that decoders support
_WINDOW_BITS = {"gzip": 31, "deflate": 15}
ENCODINGS = frozenset((*_WINDOW_BITS, "zstd"))


class NotCompressed(ValueError):  # noqa: N818  says what the bytes are, as h11's and zlib's names do
    """The bytes are not what Content-Encoding says, or end too early."""


def inflater(encoding: str) -> Inflater | ZstdInflater:
    """For one body of an encoding of `ENCODINGS`."""
    return ZstdInflater() if encoding == "zstd" else Inflater(encoding)


class Inflater:
    """One body: feed it chunks, take the pieces, then those of `finish`. The caller counts pieces against its limit."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._members = 0
        self._member = zlib.decompressobj(_WINDOW_BITS[encoding])
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Pieces of at most `PIECE_BYTES`. Raises `NotCompressed`."""
        piece = b""
        while chunk or len(piece) == PIECE_BYTES:  # a full piece: zlib may hold more without further input
            if self._member.eof:
                if not chunk:
                    return
                self._next_member()
            try:
                piece = self._member.decompress(chunk, PIECE_BYTES)
            except zlib.error as error:
                raise NotCompressed(f"the body is not {self._encoding}: {error}") from None
            self._begun = True
            chunk = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                yield piece

    def finish(self) -> Iterator[bytes]:
        """Raises `NotCompressed` when the last member is not complete. An empty body is complete."""
        if self._begun and not self._member.eof:
            raise NotCompressed(f"the {self._encoding} body ends too early")
        yield from ()

    def _next_member(self) -> None:
        self._members += 1
        if self._encoding != "gzip" or self._members >= _MAX_MEMBERS:
            raise NotCompressed(f"bytes behind the end of the {self._encoding} body")
        self._member = zlib.decompressobj(_WINDOW_BITS[self._encoding])


class ZstdInflater:
    """The same for zstd: holds the chunks until the end, as only a reader of the library bounds its output."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._chunks.append(chunk)
        yield from ()

    def finish(self) -> Iterator[bytes]:
        """Pieces of at most `PIECE_BYTES`. Raises `NotCompressed`."""
        body = b"".join(self._chunks)
        self._chunks.clear()
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
        left = memoryview(body)
        frames = 0
        try:
            while left:
                frames += 1
                if frames > _MAX_MEMBERS:
                    raise NotCompressed("the zstd body has too many frames")
                frame_size = _frame_size(left)
                reader = decompressor.stream_reader(left[:frame_size])
                while piece := reader.read(PIECE_BYTES):
                    yield piece
                left = left[frame_size:]
        except zstandard.ZstdError as error:
            raise NotCompressed(f"the body is not zstd: {error}") from None


_MAGIC, _SKIPPABLE = 0xFD2FB528, 0x184D2A50


def _frame_size(left: memoryview) -> int:
    """Bytes of the first frame: its header, its blocks, its checksum (RFC 8878 3.1.1). The library takes a body that
    is cut short for a whole one. Raises `NotCompressed`."""
    short = NotCompressed("the zstd body ends too early")
    if len(left) < 8:
        raise short if len(left) < 4 or _u32(left, 0) == _MAGIC else NotCompressed("the body is not zstd")
    magic = _u32(left, 0)
    if magic & 0xFFFFFFF0 == _SKIPPABLE:
        at = 8 + _u32(left, 4)
    elif magic == _MAGIC:
        described = left[4]
        single = bool(described & 0x20)
        at = (
            5
            + (0 if single else 1)
            + (0, 1, 2, 4)[described & 3]
            + (1 if single else 0, 2, 4, 8)[described >> 6]
        )
        last = False
        while not last:
            if at + 3 > len(left):
                raise short
            block = int.from_bytes(left[at : at + 3], "little")
            last = bool(block & 1)
            at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
        at += 4 if described & 4 else 0
    else:
        raise NotCompressed("the body is not zstd, or has bytes behind its end")
    if at > len(left):
        raise short
    return at


def _u32(left: memoryview, at: int) -> int:
    return int.from_bytes(left[at : at + 4], "little")
