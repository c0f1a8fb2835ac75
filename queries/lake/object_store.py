"""Admits a connection to the object storage that holds a lake's files. Stores no credential, and names none.

Who we are there is found by the AWS SDK (DuckDB's extension `aws`) where all its programs look: AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, a profile of ~/.aws, a web identity, an instance's role.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Final

import duckdb

from bindtrace.propagation import environment
from bindtrace.queries.lake.extensions import load_extension, quoted

SECRET: Final = "lake_data"  # noqa: S105  # the name of one
_SETTINGS: Final = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token")
"""Where the extension `httpfs` puts what it finds in the environment, for whoever asks `duckdb_settings()`."""


def load(con: duckdb.DuckDBPyConnection) -> None:
    """What knows paths of S3, and has no credential yet. Raises `LakeRefusal` where it is not installed."""
    load_extension(con, "httpfs")
    for setting in _SETTINGS:
        con.execute(f"reset {setting}")


def admit(con: duckdb.DuckDBPyConnection, data: str) -> None:
    """Makes a secret in memory, that renews itself when it has ended. Raises `duckdb.Error`.

    Raises `LakeRefusal` where an extension is not installed.
    """
    load(con)
    load_extension(con, "aws")
    words = ", ".join(
        f"{name} {value if value in ('true', 'false') else quoted(value)}"
        for name, value in _asked(data).items()
    )
    con.execute(f"create or replace temporary secret {SECRET} (type s3, {words})")


def _asked(data: str) -> Mapping[str, str]:
    """The parameters of the secret; of an endpoint that is not Amazon's, paths name the bucket."""
    found = {"provider": "credential_chain", "refresh": "auto", "scope": data}
    if profile := environment.read("AWS_PROFILE"):
        found["profile"] = profile
    if region := environment.read("AWS_REGION") or environment.read("AWS_DEFAULT_REGION"):
        found["region"] = region
    if url := environment.read("AWS_ENDPOINT_URL_S3") or environment.read("AWS_ENDPOINT_URL"):
        parts = urllib.parse.urlsplit(url if "://" in url else f"https://{url}")
        found["endpoint"] = f"{parts.netloc}{parts.path.rstrip('/')}"
        found["use_ssl"] = "false" if parts.scheme == "http" else "true"
        found["url_style"] = "path"
    return found
