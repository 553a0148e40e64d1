"""Make or update the connections of an installation: ``python -m deployments.connect FILE``.

All is checked first, and nothing is saved unless all is well. Running it again updates the Blocks, so the
file stays the source of truth; a connection that is no longer in the file is left alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from deployments.connection_file import ConnectionFileError, NamedConnection, read_connections


class SaveError(Exception):
    """The Prefect server did not take a connection. The message says what was saved before."""


def save(connections: list[NamedConnection]) -> None:
    """Save the connections as Blocks of the Prefect server that ``PREFECT_API_URL`` names.

    Raises:
        SaveError: there is no server, or it refused.
    """
    server = PREFECT_API_URL.value()
    if not server:
        msg = "No Prefect server is named; set PREFECT_API_URL, for example to http://127.0.0.1:4200/api."
        raise SaveError(msg)
    saved: list[str] = []
    for connection in connections:
        try:
            connection.block.save(connection.name, overwrite=True)
        except (httpx.HTTPError, PrefectHTTPStatusError) as error:
            done = ", ".join(saved) or "nothing"
            msg = (
                f"{connection} was not saved: the Prefect server at {server} did not take it "
                f"({type(error).__name__}: {error}). Saved before: {done}. Run this again once it works."
            )
            raise SaveError(msg) from error
        saved.append(str(connection))
        print(f"saved {connection}")


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 when all is well, 1 after printing what is not."""
    parser = argparse.ArgumentParser(prog="python -m deployments.connect", description=__doc__)
    parser.add_argument("file", type=Path, help="see deployments/connections.example.yaml")
    parser.add_argument(
        "--check", action="store_true", help="check the file and its references, save nothing"
    )
    options = parser.parse_args(arguments)
    try:
        connections = read_connections(options.file)
        if options.check:
            for connection in connections:
                print(f"would save {connection}")
        else:
            save(connections)
    except (ConnectionFileError, SaveError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
