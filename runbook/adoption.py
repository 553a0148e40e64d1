"""What a run may be told to take as it stands (parameter ``adopt``), and what can never be taken so.

Adopting means: an object that is somebody else's stays exactly as it is, and the run goes on beside it. It
never means overwriting. Some objects cannot serve as they stand; those are refused with the reason before
any system is asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from runbook.errors import InvalidInput
from runbook.names import Cluster


def _adoptable(cluster: Cluster, policies: Iterable[str]) -> tuple[str, ...]:
    return (
        *(f"policy/{name}" for name in policies),
        f"group-alias/{cluster.admin_group}",
        f"auth/{cluster.mount}/role/{cluster.role}",
    )


def _refused(cluster: Cluster) -> dict[str, str]:
    """Objects of a run that cannot be adopted, and why."""
    return {
        f"group/{cluster.admin_group}": (
            "is foreign only when it is an internal group, and Vault gives those no alias: the identity "
            "provider's administrators could never be its members"
        ),
        f"auth/{cluster.mount}": (
            "is foreign only when it is a mount of another type, and ServiceAccounts log in at one of type "
            "kubernetes only"
        ),
        f"auth/{cluster.mount}/config": (
            "is never foreign: what others set in it is carried over, and host, CA and reviewer's token must "
            "be this cluster's"
        ),
    }


def check_adopt(cluster: Cluster, policies: Iterable[str], adopt: Iterable[str], *, move_alias: bool) -> None:
    """Refuse what can be known to be wrong without asking Vault.

    Args:
        cluster: the run's cluster.
        policies: names of the policies that the run deals with.
        adopt: the parameter.
        move_alias: the other parameter, which may contradict it.

    Raises:
        InvalidInput: not an object of this run, or one that cannot be adopted; or its alias is to be both
            moved and left as it is.
    """
    possible = _adoptable(cluster, policies)
    refused = _refused(cluster)
    for name in adopt:
        if name in refused:
            raise InvalidInput(
                "input", f"adopt={name!r}", refused[name], "Leave it out, and do what the run's message says."
            )
        if name not in possible:
            raise InvalidInput(
                "input",
                f"adopt={name!r}",
                f"is not an object of Vault that this run for {cluster} deals with",
                f"Name one of {', '.join(possible)}.",
            )
    if move_alias and f"group-alias/{cluster.admin_group}" in adopt:
        raise InvalidInput(
            "input",
            "move_alias=True",
            f"contradicts adopt=['group-alias/{cluster.admin_group}'], which leaves the alias where it is",
            "Decide for one of them.",
        )


def nothing_to_adopt(name: str) -> InvalidInput:
    """The error for an adopted object that is not there: ours is not written in its place unasked."""
    return InvalidInput(
        "input",
        f"adopt={name!r}",
        "there is no such object in Vault, so nothing can be taken as it stands",
        "Leave it out of adopt to have the object made, or have its owner make it first.",
    )


NOT_NEEDED = "adopt was not needed: it is not foreign"
"""Note on an object that is named in ``adopt`` and needs no such permission."""
