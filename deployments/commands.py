"""What the commands of an operator have in common."""

from __future__ import annotations

import httpx
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


def no_answer(error: httpx.HTTPError) -> str:
    """What the Prefect server did in place of an answer, and what to set where it refuses the credential."""
    server = prefect_server()
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.UNAUTHORIZED:
        return f"The Prefect server at {server} refuses the credential (401); set PREFECT_API_AUTH_STRING."
    return f"The Prefect server at {server} does not answer as expected ({type(error).__name__}: {error})."
