"""The connections that a run names, loaded for one step."""

from __future__ import annotations

from typing import TypeVar

from prefect.blocks.core import Block
from pydantic import ValidationError

from change.asked import Asked
from connections import GitOpsRepository, VaultConnection
from connections.fields import problems_of
from runbook.errors import InvalidInput

B = TypeVar("B", bound=Block)


class NoSuchConnection(InvalidInput):
    """There is no Block of that name."""


def connection(kind: type[B], parameter: str, name: str) -> B:
    """A Block, asked of Prefect's API by each step anew, so that a corrected one counts.

    Args:
        kind: of the Block.
        parameter: of the run, for the message.
        name: of the Block.

    Raises:
        NoSuchConnection: there is none.
        InvalidInput: it cannot be used.
    """
    error_class: type[InvalidInput] = InvalidInput
    try:
        loaded = kind.load(name, validate=True, _sync=True)  # type: ignore[call-arg] # in an async flow, too
    except ValueError as error:
        if "Unable to find block document" not in str(error):
            raise
        error_class = NoSuchConnection
        problem = f"there is no {kind.__name__} of that name"
        remedy = "Save it with `python -m deployments.connect connections.yaml`, or name another one."
    except RuntimeError as error:
        if not isinstance(error.__cause__, ValidationError):
            raise
        problem = f"is not a usable {kind.__name__}: {'; '.join(problems_of(error.__cause__))}"
        remedy = (
            "It was saved by hand or by another version: save it again with "
            "`python -m deployments.connect connections.yaml`."
        )
    else:
        assert isinstance(loaded, kind)  # noqa: S101 - it is typed as returning a Block or a coroutine
        return loaded
    # Not in the handler: the error would keep pydantic's as its context, and with it the values.
    raise error_class("input", f"{parameter}={name!r}", problem, remedy)


def vault_connection(asked: Asked) -> VaultConnection:
    """The Vault of a run."""
    return connection(VaultConnection, "vault", asked.vault)


def gitops_repository(asked: Asked) -> GitOpsRepository:
    """The GitOps repository of a run."""
    return connection(GitOpsRepository, "gitops", asked.gitops)
