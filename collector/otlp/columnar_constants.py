"""Arrow constants of the columnar decoder, made once: pyarrow looks for `dateutil` at each literal it is given.

Without that package such a look is 0.1 ms, and one group would make sixty.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

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
