"""What is said of bytes that are no OTLP traces request. A value with words, raised or returned; no I/O."""

from __future__ import annotations


class Undecodable(ValueError):  # noqa: N818  admission returns it as an answer; it is not only an error
    """Bytes that cannot become an OTLP request: what is wrong, and the field's path where it is known."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(what, where)
        self.what = what
        self.where = where

    @property
    def message(self) -> str:
        """One English phrase for the sender."""
        return f"{self.where}: {self.what}" if self.where else self.what

    def __str__(self) -> str:
        return self.message

    def under(self, field: str) -> Undecodable:
        """The same fault, seen from the field around it."""
        separator = "." if self.where and not self.where.startswith("[") else ""
        return Undecodable(self.what, f"{field}{separator}{self.where}")


class NotTaken(Undecodable):
    """A request of a signal of which nothing in it is taken here."""
