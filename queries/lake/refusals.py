"""What a person is told of a lake that cannot be used, and the way out."""

from __future__ import annotations

import re
from typing import Final

import duckdb

from bindtrace.queries.lake.naming import LakeRefusal

_FIXES: Final = (
    ("automatically install", "pip install 'bindtrace[lake]'"),
    (
        r"(?i)\bhttp\b|s3://|secret validation",
        "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or a role; name a bucket that is there, "
        "and by AWS_ENDPOINT_URL_S3 who keeps it, if not Amazon",
    ),
    (
        "(?i)password|authentication|pg_hba",
        "give user and password by PGUSER and PGPASSWORD, or in a ~/.pgpass file",
    ),
    (
        "No such file|No files found",
        "put its files back, from a backup if need be; if they are lost for good, `bindtrace forget-lake --force` "
        "gives the lake up",
    ),
    ("DATA_PATH", "name the --data that the lake was made with"),
    (
        "(?i)connect to postgres|could not translate|does not exist on",
        "start PostgreSQL, or correct host, port and dbname of --lake (or PGHOST, PGPORT, PGDATABASE)",
    ),
    (
        "",
        "see that its catalog is there and no other process has it; a running collector is asked with --url",
    ),
)
"""What an error of DuckDB says, and the way out; the first that fits."""
_ITS_WORDS: Final = ("ducklake", "postgres", ".parquet", "s3://", "refresh secret")


class LakeAwayError(LakeRefusal):
    """It cannot be opened just now, and may be later."""


def is_of_lake(error: BaseException | str) -> bool:
    """Whether a statement failed for want of the lake's catalog or files, not of the database beside it."""
    text = str(error).lower()
    return isinstance(error, duckdb.OperationalError) and any(words in text for words in _ITS_WORDS)


def refused(catalog: str, text: str) -> LakeAwayError:
    """Of a lake that DuckDB could not open or read, by what it said."""
    fix = next(fix for pattern, fix in _FIXES if re.search(pattern, text))
    return LakeAwayError(f"cannot open the lake {catalog}: {text.splitlines()[0]}", fix=fix)
