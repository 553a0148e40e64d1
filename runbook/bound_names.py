"""How Vault matches a ServiceAccount's name or namespace, and the address of a login, with what a role binds.

``*`` stands for any text, also none, anywhere in a pattern; everything else, ``?`` and ``[`` too, stands for
itself, and case counts. A bare ``*`` is no case of its own here: Vault only refuses to store it beside other
values (400 ``can not mix "*" with values``). Seen on OpenBao.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from runbook.by_hand import administrators_command
from runbook.changes import united

NAMES, NAMESPACES, SELECTOR = (
    "bound_service_account_names",
    "bound_service_account_namespaces",
    "bound_service_account_namespace_selector",
)
"""Fields of a role. A ServiceAccount's name has to be bound, and its namespace or the labels of that."""


def is_bound(name: str, bound: Iterable[str]) -> bool:
    """Whether one of the patterns of a role's ``bound_service_account_…`` covers a name."""
    return any(fnmatchcase(name, _stars_alone(pattern)) for pattern in bound)


def listed(bound: Iterable[str] | None) -> tuple[str, ...]:
    """Those of the patterns that name somebody: ``*`` covers every name, and ``a*`` to ``z*`` together do."""
    return tuple(one for one in bound or () if "*" not in one or len(one.replace("*", "")) > 1)


def bound_unlisted(role: Mapping[str, Any]) -> tuple[str, ...]:
    """What of a role may bind anybody's ServiceAccount, as ``field=value``.

    Such are patterns of nearly any text, in either list (everybody can make an account of our name in a
    project of his own), and any selector: no run sets one, and it names nobody.
    """
    unlisted = [
        f"{field}={one}"
        for field in (NAMES, NAMESPACES)
        for one in role.get(field) or ()
        if not listed([one])
    ]
    return (*unlisted, *([f"{SELECTOR}={role[SELECTOR]}"] if role.get(SELECTOR) else []))


def bind_listed(path: str, role: Mapping[str, Any], name: str, namespaces: Iterable[str]) -> str:
    """The command that has the role at ``path`` bind those whom it names, and these, and nobody else."""
    meant = {
        NAMES: ",".join(united([name], listed(role.get(NAMES)))),
        NAMESPACES: ",".join(united(namespaces, listed(role.get(NAMESPACES)))),
        SELECTOR: "",
    }
    return f"`{administrators_command(path, meant)}`"


def allows_address(role: Mapping[str, Any], address: str) -> bool | None:
    """Whether a role lets logins come from an address; None where only Vault can tell.

    ``token_bound_cidrs`` also takes an address with a port, and the path of a socket.
    """
    allowed = tuple(map(str, role.get("token_bound_cidrs") or ()))
    networks, others = [], []
    for one in allowed:
        try:
            networks.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            others.append(one)
    if not allowed or any(ipaddress.ip_address(address) in network for network in networks):
        return True
    return None if others else False


def _stars_alone(pattern: str) -> str:
    """The pattern for `fnmatch`, which gives ``?`` and ``[`` a meaning of their own."""
    return re.sub(r"[?\[]", r"[\g<0>]", pattern)
