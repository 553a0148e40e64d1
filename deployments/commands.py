"""What the commands of an operator have in common."""

from __future__ import annotations

from prefect.settings import PREFECT_API_URL


class CommandError(Exception):
    """A command cannot do its work. The message says why, and what to do."""


def prefect_server() -> str:
    """The address of the API of the Prefect server that the commands work on.

    Raises:
        CommandError: none is named.
    """
    server: str | None = PREFECT_API_URL.value()
    if not server:
        msg = "No Prefect server is named; set PREFECT_API_URL, for example to http://127.0.0.1:4200/api."
        raise CommandError(msg)
    return server
