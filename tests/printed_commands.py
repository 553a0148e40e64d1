"""The commands in remedies, carried out as somebody would who pastes them."""

from __future__ import annotations

import contextlib
import io
import shlex
from types import ModuleType

from deployments.openshift import account
from deployments.vault import policy
from runbook.request import EnableRequest
from runbook.rights import vault_rights

ACCESSOR = "auth_oidc_1"
"""What the shell would be answered by Vault."""


def commands(remedy: str) -> list[str]:
    """The commands that a text holds."""
    return remedy.split("`")[1::2]


def command_of(module: ModuleType, remedy: str) -> str:
    """The one command of a module in a text."""
    (command,) = (one for one in commands(remedy) if one.startswith(f"python -m {module.__name__} "))
    return command


def printed(module: ModuleType, command: str) -> str:
    """What a command of ours prints: its own parser takes every word of it."""
    python, option, name, *words = shlex.split(command)
    assert (python, option, name) == ("python", "-m", module.__name__)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert module.main([ACCESSOR if word.startswith("$(") else word for word in words]) == 0
    return out.getvalue()


def printed_policy(remedy: str) -> str:
    """The policy that a remedy speaks of."""
    return printed(policy, command_of(policy, remedy))


def printed_account(remedy: str) -> str:
    """The manifests that a remedy speaks of."""
    command, _, applied = command_of(account, remedy).partition(" | ")
    assert applied == "oc apply --server-side -f -"
    return printed(account, command)


def missing(policy_text: str, request: EnableRequest) -> list[str]:
    """The paths of a run that a policy does not name."""
    return [path for path in vault_rights(request) if f'path "{path}"' not in policy_text]
