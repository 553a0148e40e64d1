"""Make or update the connections of an installation: ``python -m deployments.connect FILE``.

All is checked first, and nothing is saved unless all is well. Running it again updates the Blocks, so the
file stays the source of truth; a connection that is no longer in the file is left alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx

from deployments.commands import CommandError, prefect_server
from deployments.connection_file import NamedConnection, read_connections


def save(connections: list[NamedConnection]) -> None:
    """Save the connections as Blocks of the Prefect server that ``PREFECT_API_URL`` names.

    Raises:
        CommandError: there is no server, or it refused. The message says what was saved before.
    """
    server = prefect_server()
    saved: list[str] = []
    for connection in connections:
        try:
            connection.block.save(connection.name, overwrite=True)
        except httpx.HTTPError as error:
            done = ", ".join(saved) or "nothing"
            msg = (
                f"{connection} was not saved: the Prefect server at {server} did not take it "
                f"({type(error).__name__}: {error}). Saved before: {done}. Run this again once it works."
            )
            raise CommandError(msg) from error
        saved.append(str(connection))
        print(f"saved {connection}")


def main() -> None:
    """Do it, or end the process with what is in the way."""
    parser = argparse.ArgumentParser(prog="python -m deployments.connect", description=__doc__)
    parser.add_argument("file", type=Path, help="see deployments/connections.example.yaml")
    parser.add_argument(
        "--check", action="store_true", help="check the file and its references, save nothing"
    )
    options = parser.parse_args()
    try:
        connections = read_connections(options.file)
        if options.check:
            for connection in connections:
                print(f"would save {connection}")
        else:
            save(connections)
    except CommandError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
