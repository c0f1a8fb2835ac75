"""Arrow constants of the columnar decoder, made once: pyarrow looks for `dateutil` at each literal it is given.

Without that package such a look is 0.1 ms, and one group would make sixty.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

NO_TEXT: Final = pa.scalar(None, pa.string())
NO_BYTES: Final = pa.scalar(None, pa.binary())
NO_PAIR: Final = pa.scalar(None, pa.int32())
EMPTY: Final = pa.scalar("")
COMMA: Final = pa.scalar(",")
QUOTE: Final = pa.scalar('"')
OPEN, CLOSE = pa.scalar("{"), pa.scalar("}")
OPEN_LIST, CLOSE_LIST = pa.scalar("["), pa.scalar("]")
ZERO, TWO, BYTE = pa.scalar(0, pa.int32()), pa.scalar(2, pa.int32()), pa.scalar(255, pa.int32())
ONE_32, ONE = pa.scalar(1, pa.int32()), pa.scalar(1, pa.int64())
BEFORE: Final = pa.scalar(-1, pa.int64())
FALSE: Final = pa.scalar(False)

# The bits of a word are summed in pairs, in fours, in bytes (H. Warren, Hacker's Delight, 5-1).
_HALVES: Final = [
    (pa.scalar(mask, pa.uint64()), pa.scalar(shift, pa.uint64()))
    for mask, shift in (
        (0x5555555555555555, 1), (0x3333333333333333, 2), (0x0F0F0F0F0F0F0F0F, 4),
        (0x00FF00FF00FF00FF, 8), (0x0000FFFF0000FFFF, 16), (0x00000000FFFFFFFF, 32),
    )
]  # fmt: skip


def set_bits(words: pa.Array) -> pa.Array:
    """How many bits are set in each 64-bit word, as 32-bit integers."""
    for mask, shift in _HALVES:
        words = pc.add(pc.bit_wise_and(words, mask), pc.bit_wise_and(pc.shift_right(words, shift), mask))
    return words.cast(pa.int32())
