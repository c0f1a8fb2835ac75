"""The shop's authority as a process of the demo: `bindtrace authority serve`, which goes when the demo is gone.

python -m bindtrace.collector.demo.shop.authority DIRECTORY --listen HOST:PORT --supervisor-fd 6
"""

from __future__ import annotations

import threading
from pathlib import Path

import click

from bindtrace.collector.child import announce_ready, watch_supervisor
from bindtrace.propagation.options import NamedPath
from bindtrace.propagation.serving.authority import serve


@click.command()
@click.argument("directory", type=NamedPath())
@click.option("--listen", required=True, help="HOST:PORT.")
@click.option("--supervisor-fd", type=int, required=True, help="A pipe that closes when the demo is gone.")
def main(directory: Path, listen: str, supervisor_fd: int) -> None:
    """Serve the authority in DIRECTORY."""
    ended = threading.Event()
    watch_supervisor(supervisor_fd, ended.set)
    serve(directory, listen, ready=lambda: announce_ready({"ready": True}), stop=ended)


if __name__ == "__main__":
    main()
