"""An S3 server of the test's own (moto), which judges signatures: loopback, a free port. Asks and judges nothing."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interop.peers import CACHE, peer
from interop.sidecars import process
from support import free_port, listening, wait_for

BUCKET: Final = "traces"
REGION: Final = "eu-west-1"
_BEGIN: Final = """
import json, sys
import boto3
place = {"endpoint_url": sys.argv[1], "region_name": sys.argv[2]}
nobody = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
iam = boto3.client("iam", **place, **nobody)
iam.create_user(UserName="collector")
keys = [iam.create_access_key(UserName="collector")["AccessKey"] for _ in range(2)]
allowed = {"Effect": "Allow", "Action": ["s3:*", "iam:*"], "Resource": "*"}
document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
iam.put_user_policy(UserName="collector", PolicyName="all", PolicyDocument=document)
s3 = boto3.client("s3", **place, **nobody)
s3.create_bucket(Bucket=sys.argv[3], CreateBucketConfiguration={"LocationConstraint": sys.argv[2]})
print(json.dumps([[key["AccessKeyId"], key["SecretAccessKey"]] for key in keys]))
"""
_UNSIGNED: Final = 5
"""So many requests the server takes from anybody: those of `_BEGIN`."""
_REVOKE: Final = """
import sys
import boto3
iam = boto3.client(
    "iam", endpoint_url=sys.argv[1], region_name=sys.argv[2],
    aws_access_key_id=sys.argv[3], aws_secret_access_key=sys.argv[4],
)
iam.delete_access_key(UserName="collector", AccessKeyId=sys.argv[5])
"""

_EMPTY: Final = """
import sys
import boto3
s3 = boto3.resource(
    "s3", endpoint_url=sys.argv[1], region_name=sys.argv[2],
    aws_access_key_id=sys.argv[3], aws_secret_access_key=sys.argv[4],
)
s3.Bucket(sys.argv[5]).objects.filter(Prefix=sys.argv[6]).delete()
"""


@dataclass(frozen=True, slots=True)
class Key:
    """Of the one user."""

    name: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.name, "AWS_SECRET_ACCESS_KEY": self.secret}


@dataclass(frozen=True, slots=True)
class S3:
    """`keys`: two of them, as while one replaces the other. `log` is the server's, with every request's path."""

    url: str
    keys: Sequence[Key]
    log: Path

    def environment(self, key: Key) -> dict[str, str]:
        """What finds it, and who we are there."""
        return {"AWS_ENDPOINT_URL_S3": self.url, "AWS_REGION": REGION, **key.environment}

    def data(self, prefix: str) -> str:
        """For --data."""
        return f"s3://{BUCKET}/{prefix}"

    def empty(self, prefix: str) -> None:
        """Deletes all that is stored under it."""
        _python(_EMPTY, self.url, REGION, self.keys[0].name, self.keys[0].secret, BUCKET, prefix)

    def requests(self) -> int:
        """How many it was asked."""
        return len(self.log.read_text().splitlines())

    def revoke(self, key: Key) -> None:
        """From now on it opens nothing."""
        other = next(each for each in self.keys if each != key)
        _python(_REVOKE, self.url, REGION, other.name, other.secret, key.name)


@contextlib.contextmanager
def s3() -> Iterator[S3]:
    """Skips the test where the server cannot be had."""
    peer("s3")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bindtrace-s3-") as name:
        log = Path(name) / "log"
        command = [sys.executable, "-P", "-m", "moto.server", "-p", port]
        environment = {"PYTHONPATH": str(CACHE / "s3"), "INITIAL_NO_AUTH_ACTION_COUNT": str(_UNSIGNED)}
        with process(command, log, **environment) as started:

            def up() -> bool:
                assert started.poll() is None, log.read_text()[-2000:]
                return listening(port)

            wait_for(up, seconds=60, what="the S3 server")
            url = f"http://127.0.0.1:{port}"
            made = json.loads(_python(_BEGIN, url, REGION, BUCKET))
            yield S3(url, [Key(*pair) for pair in made], log)


def _python(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments], capture_output=True, text=True, timeout=60,
        env={"PYTHONPATH": str(CACHE / "s3"), "HOME": "/nonexistent"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
