"""Whether our token may write the values that a change has: the pipeline's policy pins them.

Preflight asks for the whole plan, and each step once more for what it is about to write: somebody may have
put a value of theirs beside ours while the run waited.
"""

from __future__ import annotations

from collections.abc import Iterable

from runbook.changes import Change
from runbook.errors import Conflict
from runbook.groups import OWN_ID
from runbook.request import EnableRequest
from runbook.rights import administrators_command, beyond_pins
from systems.vault import Vault


def check_pins(vault: Vault, request: EnableRequest, changes: Iterable[Change]) -> None:
    """Go on if all of these may be written with a token whose policy pins values, or if ours is a root token.

    ``sys/capabilities-self`` does not tell of pinned values, so this goes by what the policy should be.

    Raises:
        Conflict: a value of somebody else's would be written together with ours; with the command for an
            administrator.
    """
    beyond = [(change, fields) for change in changes if (fields := beyond_pins(request, change))]
    if not beyond:
        return
    if all("root" in have for have in vault.capabilities([change.path for change, _ in beyond]).values()):
        return
    raise Conflict(
        "Vault",
        ", ".join(change.object for change, _ in beyond),
        "; ".join(
            f"{', '.join(fields)} would be written together with what others have put there, and the "
            f"pipeline's policy allows our own values alone (path {change.path})"
            for change, fields in beyond
        ),
        f"Let an administrator run {' and '.join(by_hand(change) for change, _ in beyond)}, then re-run. "
        "If the token's policy pins no values, set pinned_policy of the VaultConnection to false.",
    )


def by_hand(change: Change) -> str:
    """The command with which an administrator makes a change that our token may not make."""
    if OWN_ID in change.payload.values():
        # The alias cannot be moved to a group that is not there yet; without it, the run makes a new one.
        return f"`vault delete {change.path}`"
    return f"`{administrators_command(change.path, change.payload)}`"
