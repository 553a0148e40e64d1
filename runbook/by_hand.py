"""What an administrator types where the pipeline may not write itself."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

OWN_ID = "the group's own id"
"""Stands in a plan for the id of the administrators' group, which may not be there yet."""


def administrators_command(path: str, payload: Mapping[str, Any], group: str = "") -> str:
    """``vault write`` with these values, for a shell; of a map each entry, of a list each value.

    ``group`` is the name of the one for whose id `OWN_ID` stands.
    """
    words = [f"vault write {path}"]
    for name, value in payload.items():
        if value == OWN_ID:
            words.append(f'{name}="$(vault read -field=id identity/group/name/{group})"')
            continue
        if isinstance(value, Mapping):
            values = [f"{key}={entry}" for key, entry in value.items()]
        else:
            values = [value] if isinstance(value, str) or not isinstance(value, Sequence) else list(value)
        words += [shlex.quote(f"{name}={entry}") for entry in values]
    return " ".join(words)
