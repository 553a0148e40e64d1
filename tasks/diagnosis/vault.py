"""What the diagnosis asks Vault: is it there, the mount, the role, the config, the policies."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook.diagnosis import (
    AddressNotAllowed,
    ConfigNeverWritten,
    MountMissing,
    MountOfAnotherType,
    PolicyMissing,
    PolicyNotHandedOut,
    ReviewerJwtNotSet,
    RoleMissing,
    SecretsMountMissing,
    VaultSealed,
    VaultUnreachable,
)
from runbook.diagnosis.examination import Findings
from runbook.errors import AccessDenied, EnablementError
from runbook.names import SECRETS_MOUNT
from runbook.policies import role_policy
from runbook.request import EnableRequest
from systems.own_address import own_address
from systems.vault import Vault
from tasks.diagnosis.asking import ask

SYSTEM = "Vault"


@dataclass(slots=True)
class VaultAnswers:
    """What later questions need of Vault.

    Attributes:
        answers: whether it can be asked at all.
        clock: its own time; None if it does not tell.
        role, config: None where not there, or not known.
    """

    answers: bool = False
    clock: datetime | None = None
    role: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None


def ask_vault(findings: Findings, vault: Vault, request: EnableRequest) -> VaultAnswers:
    """Everything in Vault on which the login depends, in the order in which a login meets it."""
    answers = VaultAnswers()
    if not _is_there(findings, vault, answers):
        return answers
    if _mount(findings, vault, request):
        _role(findings, vault, request, answers)
        _config(findings, vault, request, answers)
    return answers


def _is_there(findings: Findings, vault: Vault, answers: VaultAnswers) -> bool:
    question = "Does Vault answer?"
    try:
        health = vault.health()
    except EnablementError as error:
        findings.wrong(question, VaultUnreachable(vault.address, error.answer))
        return False
    if health.sealed:
        findings.wrong(question, VaultSealed(vault.address))
        return False
    findings.right(question, SYSTEM, f"{vault.address}, {health.version}")
    answers.answers, answers.clock = True, health.clock
    return True


def _mount(findings: Findings, vault: Vault, request: EnableRequest) -> bool:
    """Whether to go on: what is below the mount is asked for even if we may not list the mounts."""
    name = request.target.mount
    question = f"Is auth/{name} of type kubernetes?"
    known = ask(findings, question, SYSTEM, vault.auth_mounts)
    if known is None:
        return True
    mount = known.value.get(name)
    if mount is None:
        findings.wrong(question, MountMissing(name))
        return False
    if mount.type != "kubernetes":
        findings.wrong(question, MountOfAnotherType(name, mount.type))
        return False
    findings.right(question, SYSTEM, "yes")
    return True


def _role(findings: Findings, vault: Vault, request: EnableRequest, answers: VaultAnswers) -> None:
    target = request.target
    question = f"Is role {target.role} there?"
    known = ask(findings, question, SYSTEM, lambda: vault.role(target.mount, target.role))
    if known is None:
        return
    if known.value is None:
        try:
            others = vault.role_names(target.mount)
        except AccessDenied:
            others = ("not known to us",)
        findings.wrong(question, RoleMissing(target.mount, target.role, others))
        return
    answers.role = known.value
    findings.right(question, SYSTEM, "yes")
    _addresses(findings, vault, role_path(request), answers.role)


def role_path(request: EnableRequest) -> str:
    """Path of the cluster's role, as an operator writes it."""
    return f"auth/{request.target.mount}/role/{request.target.role}"


def _addresses(findings: Findings, vault: Vault, path: str, role: Mapping[str, Any]) -> None:
    allowed = tuple(map(str, role.get("token_bound_cidrs") or ()))
    if not allowed:
        return
    question = "Does the role accept logins from our address?"
    known = ask(findings, question, SYSTEM, lambda: own_address(vault.address))
    if known is None:
        return
    ours = ipaddress.ip_address(known.value)
    networks, others = [], []
    for one in allowed:
        try:
            networks.append(ipaddress.ip_network(one, strict=False))
        except ValueError:  # Vault also takes an address with a port, and the path of a socket
            others.append(one)
    if any(ours in network for network in networks):
        findings.right(question, SYSTEM, f"{ours} is in {', '.join(allowed)}")
    elif others:
        findings.unknown(question, SYSTEM, f"whether {ours} is in {', '.join(others)} only Vault can tell")
    else:
        findings.wrong(question, AddressNotAllowed(path, allowed, str(ours)))


def _config(findings: Findings, vault: Vault, request: EnableRequest, answers: VaultAnswers) -> None:
    mount = request.target.mount
    question = "Was the config written?"
    known = ask(findings, question, SYSTEM, lambda: vault.kubernetes_config(mount))
    if known is None:
        return
    if known.value is None:
        findings.wrong(question, ConfigNeverWritten(mount))
        return
    answers.config = known.value
    findings.right(question, SYSTEM, f"kubernetes_host={known.value.get('kubernetes_host')}")
    # Vault before 1.16 does not say whether it holds a JWT: unknown, not "no".
    if known.value.get("token_reviewer_jwt_set") is False:
        findings.wrong("Does Vault hold a reviewer JWT?", ReviewerJwtNotSet(mount))


def ask_policies(findings: Findings, vault: Vault, request: EnableRequest, answers: VaultAnswers) -> None:
    """What the role hands out, whether it exists, and whether there is anything to read."""
    if not answers.answers:
        return
    wanted = role_policy(request)
    if answers.role is not None:
        question = f"Does the role hand out {wanted}?"
        handed = tuple(answers.role.get("token_policies") or answers.role.get("policies") or ())
        if wanted in handed:
            findings.right(question, SYSTEM, ", ".join(handed))
        else:
            findings.wrong(question, PolicyNotHandedOut(role_path(request), wanted, handed))
    question = f"Does policy {wanted} exist?"
    policy = ask(findings, question, SYSTEM, lambda: vault.policy(wanted), matters=False)
    if policy is not None and policy.value is None:
        findings.wrong(question, PolicyMissing(wanted))
    elif policy is not None:
        findings.right(question, SYSTEM, "yes")
    question = f"Is {SECRETS_MOUNT}/ there?"
    mounts = ask(findings, question, SYSTEM, vault.secret_mounts, matters=False)
    if mounts is not None and SECRETS_MOUNT not in mounts.value:
        findings.wrong(question, SecretsMountMissing(SECRETS_MOUNT))
    elif mounts is not None:
        findings.right(question, SYSTEM, "yes")
