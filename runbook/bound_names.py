"""How Vault matches a ServiceAccount's name or namespace with what a role binds.

``*`` stands for any text, also none, anywhere in a pattern; everything else, ``?`` and ``[`` too, stands for
itself, and case counts. A bare ``*`` is no case of its own here: Vault only refuses to store it beside other
values (400 ``can not mix "*" with values``). Seen on OpenBao.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase


def is_bound(name: str, bound: Iterable[str]) -> bool:
    """Whether one of the patterns of a role's ``bound_service_account_…`` covers a name."""
    return any(fnmatchcase(name, _stars_alone(pattern)) for pattern in bound)


def _stars_alone(pattern: str) -> str:
    """The pattern for `fnmatch`, which gives ``?`` and ``[`` a meaning of their own."""
    return re.sub(r"[?\[]", r"[\g<0>]", pattern)
