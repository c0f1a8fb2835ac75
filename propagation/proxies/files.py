"""A workload's credentials as files, for proxies: a folder a generation, and one symbolic link that is swapped.

    FOLDER/current -> generation-7/{certificate.pem,key.pem,authorities.pem}
    FOLDER/sds-identity.json, FOLDER/sds-trust.json: the same as Envoy's secrets

Swapping two files one after the other shows a proxy a key that is not the certificate's (seen: Envoy 1.40 counts
`KEY_VALUES_MISMATCH`); a link changes both at once. The key is readable by its owner alone, so the proxy runs as the
same user.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from bindtrace.propagation.authority.key_files import make_private_directory, write_private
from bindtrace.propagation.identity import keys
from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.identity.certificates import pem
from bindtrace.propagation.proxies.envoy_tls import secrets
from bindtrace.propagation.proxies.file_names import AUTHORITIES, CERTIFICATE, CURRENT, KEY
from bindtrace.propagation.workload.generation import Generation

KEPT: Final = 2
"""Generations that stay: the one in force, and the one before it, which a proxy may be reading right now."""


class CredentialFiles:
    """Writes every generation and every change of trust. Raises Refusal for a folder that others can read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        make_private_directory(self.folder)
        for name, content in secrets(self.folder).items():
            self.put(name, content)
        self._number = max((_number(path) for path in self.folder.glob("generation-*")), default=0)

    def write(self, generation: Generation, bundle: Bundle) -> Path:
        """The folder that `current` now leads to."""
        self._number += 1
        home = self.folder / f"generation-{self._number}"
        home.mkdir(mode=0o700)
        write_private(home / KEY, keys.private_pem(generation.tls_key))
        write_private(home / CERTIFICATE, pem(generation.certificate))
        write_private(home / AUTHORITIES, b"".join(pem(authority) for authority in bundle.authorities))
        link = self.folder / f".{CURRENT}-{self._number}"
        link.symlink_to(home.name)
        os.replace(link, self.folder / CURRENT)
        self._forget()
        return home

    def follow(self, generation: Generation, bundle: Bundle) -> None:
        """`write`, as a listener for `Identity.subscribe`."""
        self.write(generation, bundle)

    def put(self, name: str, content: dict[str, Any]) -> None:
        """A JSON file beside the credentials, swapped as a whole."""
        new = self.folder / f".{name}"
        new.unlink(missing_ok=True)
        write_private(new, json.dumps(content).encode("ascii"))
        os.replace(new, self.folder / name)

    def _forget(self) -> None:
        for path in sorted(self.folder.glob("generation-*"), key=_number)[:-KEPT]:
            with contextlib.suppress(OSError):
                shutil.rmtree(path)


def _number(path: Path) -> int:
    text = path.name.rpartition("-")[2]
    return int(text) if text.isdecimal() else 0
