"""What a run may be told to take as it stands (parameter ``adopt``), and what can never be taken so.

Adopting means: an object that is somebody else's stays exactly as it is, and the run goes on beside it. It
never means overwriting. Some objects cannot serve as they stand; those are refused with the reason before
any system is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runbook.errors import InvalidInput
from runbook.objects import VaultObject


def check_adopt(whom: object, objects: Sequence[VaultObject], adopt: Iterable[str]) -> None:
    """Refuse what can be known to be wrong without asking Vault.

    Args:
        whom: whom the run is for.
        objects: that the run deals with.
        adopt: the parameter.

    Raises:
        InvalidInput: not an object of this run, or one that cannot be adopted.
    """
    never = {one.name: one.never_adopted for one in objects if one.never_adopted}
    possible = [one.name for one in objects if not one.never_adopted]
    for name in adopt:
        if name in never:
            raise InvalidInput(
                "input", f"adopt={name!r}", never[name], "Leave it out, and do what the run's message says."
            )
        if name not in possible:
            raise InvalidInput(
                "input",
                f"adopt={name!r}",
                f"is not a Vault object of a run for {whom}",
                f"Name one of {', '.join(possible)}.",
            )
