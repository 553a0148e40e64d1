"""Make or update the connections of an installation: ``python -m deployments.connect FILE``.

``--check`` logs in everywhere, checks all that enabling the clusters needs, and saves nothing. Then it shows
every name that is derived for one of the clusters, and what is there today under that name.

Without ``--check`` the file is checked first, and nothing is saved unless all of it is right. Running it
again updates the Blocks; a connection that is no longer in the file is left alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from change.execution import execution
from deployments.commands import CommandError, no_answer, prefect_server
from deployments.connection_check import as_text, ask, ask_names
from deployments.connection_file import NamedConnection, read_connections, read_targets
from runbook.errors import InvalidInput
from runbook.names import Cluster, check_name


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


def check(options: argparse.Namespace, connections: list[NamedConnection]) -> bool:
    """Print what the systems answer; returns whether something has failed.

    Raises:
        CommandError: the file has no such cluster.
        InvalidInput: a namespace is none.
    """
    targets, _ = read_targets(options.file)
    for namespace in options.namespace:
        check_name("--namespace", namespace)
    target = chosen(targets, options.cluster)
    others = ", ".join(str(one) for one in targets if one != target)
    heading = f"Names of {target}" + (f" (--cluster shows those of {others})" if others else "")
    # As one execution: the repository is cloned once for all.
    with execution():
        rows = ask(targets, connections, read_only=options.read_only)
        names = ask_names(target, connections, options.namespace)
    print(as_text(rows, names, heading))
    return any(row.status == "failed" for row in rows)


def chosen(targets: Sequence[Cluster], named: str | None) -> Cluster:
    """The cluster of a file that is called ``ENV/NAME`` or ``NAME``; the first where none is named.

    Raises:
        CommandError: there is no such cluster.
    """
    for target in targets:
        if named in {None, target.name, str(target)}:
            return target
    msg = f"--cluster {named}: the file has no such cluster; it has {', '.join(map(str, targets))}"
    raise CommandError(msg)


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
    parser.add_argument(
        "--cluster",
        metavar="[ENV/]NAME",
        help="with --check: the cluster whose names are shown; by default the first of the file",
    )
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        help="with --check: also look at the names in this namespace of that cluster; may be repeated",
    )
    options = parser.parse_args()
    try:
        connections = read_connections(options.file)
        if options.check:
            prefect_server()
            sys.exit(int(check(options, connections)))
        elif options.dry_run:
            for connection in connections:
                print(f"would save {connection}")
        else:
            save(connections)
    except (CommandError, InvalidInput) as error:
        sys.exit(str(error))
    except httpx.HTTPError as error:
        sys.exit(no_answer(error))


if __name__ == "__main__":
    main()
