"""What the diagnosis asks Vault: is it there, the mount, the role, the config, the policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook.bound_names import allows_address, bind_listed, bound_unlisted
from runbook.diagnosis.cause import Cause, listed
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.examination import Findings, NotKnown, Verdict
from runbook.errors import AccessDenied, EnablementError
from runbook.hosts import without_credentials
from runbook.objects.config import fields_of_others
from runbook.vault_answers import MountInVault
from systems.own_address import own_address
from tasks.diagnosis.asking import Asked


@dataclass(frozen=True, slots=True)
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


def ask_vault(findings: Findings, asked: Asked) -> VaultAnswers:
    """Everything in Vault on which the login depends, in the order in which a login meets it."""
    vault, name = asked.vault, asked.request.target.mount
    question = "Does Vault answer?"
    try:
        health = vault.health()
    except EnablementError as error:
        findings.say(question, Causes.VAULT_UNREACHABLE.of(address=vault.address, why=error.answer))
        return VaultAnswers()
    if health.sealed:
        findings.say(question, Causes.VAULT_SEALED.of(address=vault.address))
        return VaultAnswers()
    findings.say(question, f"{vault.address}, {health.version}", "Vault")

    def is_kubernetes(mounts: Mapping[str, MountInVault]) -> Verdict:
        mount = mounts.get(name)
        if mount is None:
            return Causes.MOUNT_MISSING.of(mount=name)
        if mount.type != "kubernetes":
            return Causes.MOUNT_OF_ANOTHER_TYPE.of(mount=name, type=mount.type)
        return "yes"

    question = f"Is auth/{name} of type kubernetes?"
    _, mount = findings.ask(question, "Vault", vault.auth_mounts, is_kubernetes)
    if mount == "wrong":
        return VaultAnswers(True, health.clock)
    # What is below the mount is asked for even if we may not list the mounts.
    return VaultAnswers(True, health.clock, _role(findings, asked), _config(findings, asked))


def _role(findings: Findings, asked: Asked) -> Mapping[str, Any] | None:
    vault, target = asked.vault, asked.request.target

    def is_there(role: Mapping[str, Any] | None) -> Verdict:
        if role is not None:
            return "yes"
        try:
            there = listed(vault.role_names(target.mount), "none")
        except AccessDenied:
            there = "not known"
        return Causes.ROLE_MISSING.of(mount=target.mount, role=target.role, there=there)

    question = f"Is role {target.role} there?"
    role, _ = findings.ask(question, "Vault", lambda: vault.role(target.mount, target.role), is_there)
    if role is None:
        return None
    if unlisted := bound_unlisted(role):
        request = asked.request
        command = bind_listed(asked.role, role, request.service_account, request.account_namespaces)
        cause = Causes.ROLE_BINDS_ANYBODY.of(role=asked.role, unlisted=listed(unlisted), command=command)
        findings.say("Does the role bind names and namespaces?", cause)
    allowed = listed(map(str, role.get("token_bound_cidrs") or ()))

    def accepts(ours: str) -> Verdict:
        allows = allows_address(role, ours)
        if allows is None:
            return NotKnown(f"only Vault knows whether {ours} is in {allowed}")
        if allows:
            return f"{ours} is in {allowed}"
        return Causes.ADDRESS_NOT_ALLOWED.of(role=asked.role, allowed=allowed, ours=ours)

    if allowed:
        question = "Does the role accept logins from our address?"
        findings.ask(question, "Vault", lambda: own_address(vault.address), accepts)
    return role


def _config(findings: Findings, asked: Asked) -> Mapping[str, Any] | None:
    mount = asked.request.target.mount

    def was_written(config: Mapping[str, Any] | None) -> Verdict:
        if config is None:
            return Causes.CONFIG_NEVER_WRITTEN.of(mount=mount)
        return f"kubernetes_host={without_credentials(str(config.get('kubernetes_host')))}"

    question = "Was the config written?"
    config, _ = findings.ask(question, "Vault", lambda: asked.vault.kubernetes_config(mount), was_written)
    others, decide = fields_of_others(config or {})
    if others:
        kind = Causes.CONFIG_OF_OTHERS_DECIDES if decide else Causes.CONFIG_OF_OTHERS
        findings.say("Are all fields of the config ours?", kind.of(mount=mount, fields=listed(others)))
    return config


def ask_policies(findings: Findings, asked: Asked, answers: VaultAnswers) -> None:
    """What the role hands out, whether it exists, and whether there is anything to read."""
    if not answers.answers:
        return
    vault, wanted = asked.vault, asked.request.role_policy
    if answers.role is not None:
        question = f"Does the role hand out {wanted}?"
        handed = tuple(answers.role.get("token_policies") or answers.role.get("policies") or ())
        if wanted in handed:
            findings.say(question, ", ".join(handed), "Vault")
        else:
            findings.say(question, not_handed_out(asked, wanted, handed))
    findings.ask(
        f"Does policy {wanted} exist?",
        "Vault",
        lambda: vault.policy(wanted),
        lambda policy: Causes.POLICY_MISSING.of(policy=wanted) if policy is None else "yes",
        matters=False,
    )
    secrets = asked.request.target.secrets_mount
    missing = Causes.SECRETS_MOUNT_MISSING.of(mount=secrets)
    findings.ask(
        f"Is {secrets}/ there?",
        "Vault",
        vault.secret_mounts,
        lambda mounts: "yes" if secrets in mounts else missing,
        matters=False,
    )


def not_handed_out(asked: Asked, policy: str, instead: Sequence[str]) -> Cause:
    """The role gives its sessions other policies, or none."""
    carried = listed(instead, "no policy")
    ours = ",".join(asked.request.role_policies)
    return Causes.POLICY_NOT_HANDED_OUT.of(role=asked.role, policy=policy, instead=carried, ours=ours)
