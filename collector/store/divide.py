"""Stores a group although one request of it cannot be stored: halves the group until it is alone. Never drops one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from uuid import UUID

from bindtrace.collector.journal.record import Request
from bindtrace.collector.otlp.tables import Refused
from bindtrace.collector.store import accounting
from bindtrace.collector.store.faults import Fault, fault_of, one_line
from bindtrace.collector.store.writer import Writer, Written

NOTHING = Written(0, 0, 0, ())
BeforeCommit = Callable[[Sequence[Refused]], None]


def write_divided(
    writer: Writer,
    requests: Sequence[Request],
    positions: Mapping[UUID, int],
    before_commit: BeforeCommit,
) -> Written:
    """As `Writer.write`; where the database refuses a value, only the request that has it is refused.

    The position is stored last, with what `before_commit` keeps, so a crash between repeats and never doubles.
    Raises what is no fault of the data, with nothing lost: the position still stands before the group.
    """
    try:
        return writer.write(requests, positions, before_commit)
    except Exception as error:
        if not requests or fault_of(error) is not Fault.DATA:
            raise
    # Accounting has no digest: it is added once, with the position.
    requests, records = accounting.split(requests)
    done = _divided(writer, requests) if requests else NOTHING
    last = writer.write(records, positions, lambda _: before_commit(done.refused))
    return _sum(done, last)


def _divided(writer: Writer, requests: Sequence[Request]) -> Written:
    try:
        return writer.write(requests)
    except Exception as error:
        if fault_of(error) is not Fault.DATA:
            raise
        if len(requests) == 1:
            return Written(0, 0, 0, (Refused(requests[0], one_line(error)),))
    middle = len(requests) // 2
    return reduce(_sum, (_divided(writer, half) for half in (requests[:middle], requests[middle:])))


def _sum(one: Written, other: Written) -> Written:
    return Written(
        one.spans + other.spans,
        one.duplicate_spans + other.duplicate_spans,
        one.duplicate_requests + other.duplicate_requests,
        one.refused + other.refused,
    )
