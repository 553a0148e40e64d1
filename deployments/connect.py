"""Make or update the connections of an installation: ``python -m deployments.connect FILE``.

``--check`` logs in everywhere, checks all that enabling the clusters needs, and saves nothing.

Without it the file is checked first, and nothing is saved unless all of it is right. Running it again updates
the Blocks; a connection that is no longer in the file is left alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx

from deployments.commands import CommandError, no_answer, prefect_server
from deployments.connection_check import as_text, ask
from deployments.connection_file import NamedConnection, read_connections, read_targets


def save(connections: list[NamedConnection]) -> None:
    """Save the connections as Blocks of the Prefect server that ``PREFECT_API_URL`` names.

    Raises:
        CommandError: there is no server, or it refused. The message says what was saved before.
    """
    prefect_server()
    saved: list[str] = []
    for connection in connections:
        try:
            connection.block.save(connection.name, overwrite=True)
        except httpx.HTTPError as error:
            done = ", ".join(saved) or "nothing"
            msg = f"{connection} was not saved. {no_answer(error)} Saved before: {done}. Run this again then."
            raise CommandError(msg) from error
        saved.append(str(connection))
        print(f"saved {connection}")


def main() -> None:
    """Do it, or end the process with what is in the way."""
    parser = argparse.ArgumentParser(prog="python -m deployments.connect", description=__doc__)
    parser.add_argument("file", type=Path, help="see deployments/connections.example.yaml")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--check", action="store_true", help="check with each system, save nothing")
    only.add_argument("--dry-run", action="store_true", help="check the file alone, save nothing")
    parser.add_argument(
        "--read-only", action="store_true", help="with --check: for runs that only plan, which need less"
    )
    options = parser.parse_args()
    try:
        connections = read_connections(options.file)
        if options.check:
            prefect_server()
            rows = ask(read_targets(options.file)[0], connections, read_only=options.read_only)
            print(as_text(rows))
            sys.exit(int(any(row.status == "failed" for row in rows)))
        elif options.dry_run:
            for connection in connections:
                print(f"would save {connection}")
        else:
            save(connections)
    except CommandError as error:
        sys.exit(str(error))
    except httpx.HTTPError as error:
        sys.exit(no_answer(error))


if __name__ == "__main__":
    main()
