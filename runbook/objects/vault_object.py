"""What is said of an object of Vault: its name, what it should be, what may be written, how it differs.

An object is compared with what a `Seen` finds. It asks for no more than it needs, and once: between two looks
others may have changed it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from runbook.by_hand import administrators_command
from runbook.changes import Change
from runbook.errors import InvalidInput
from runbook.hosts import ApiServer
from runbook.vault_answers import GroupInVault, MountInVault

WRITE = ("create", "read", "update")
"""Vault decides path by path, and version by version, whether a write is a create or an update."""

NOT_NEEDED = "adopt was not needed: it is not foreign"
"""Note on an object that is named in ``adopt`` and needs no such permission."""


@dataclass(frozen=True, slots=True)
class VaultRule:
    """Capabilities on one path.

    Attributes:
        path: ``+`` stands for one whole segment.
        why: what a run does there, for whoever reads the policy.
        allowed: the values that a parameter may have, by parameter; any value where there are none. Other
            parameters are refused, unless there is ``*``. No entry at all: anything may be written.
        required: parameters that a request must have, a read too.
        asks: an update there is a question, and changes nothing.
    """

    path: str
    capabilities: tuple[str, ...]
    why: str
    allowed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    asks: bool = False


class Reads(Protocol):
    """What objects ask of Vault, as `systems.vault.Vault` answers it; None where there is no such object."""

    def policy(self, name: str) -> str | None: ...

    def group(self, name: str) -> GroupInVault | None: ...

    def group_of_alias(self, alias: str, mount_accessor: str) -> GroupInVault | None: ...

    def auth_mounts(self) -> dict[str, MountInVault]: ...

    def kubernetes_config(self, mount: str) -> Mapping[str, Any] | None: ...

    def role(self, mount: str, name: str) -> Mapping[str, Any] | None: ...

    def role_names(self, mount: str) -> tuple[str, ...]: ...


class Seen:
    """One look at Vault, and what else a comparison has to know of the world of a run."""

    def __init__(
        self,
        vault: Reads,
        api: ApiServer | None = None,
        configured_before: Callable[[], bool] = lambda: False,
        *,
        login_works: bool = True,
        auth_mounts: dict[str, MountInVault] | None = None,
    ) -> None:
        """
        Args:
            vault: asked once a look for what several objects need.
            api: the cluster's API as Vault reaches it; None where it is not known.
            configured_before: whether our record says that we configured the cluster's mount in this Vault.
            login_works: False where the starter ServiceAccount cannot log in, by a fault of config or JWT.
            auth_mounts: those that an earlier look has found; None where this one has to ask.
        """
        self.vault, self.api = vault, api
        self.configured_before = configured_before
        self.login_works = login_works
        self._mounts: dict[str, MountInVault] | None = None
        self._mounts_before = auth_mounts
        self._groups: dict[str, GroupInVault | None] = {}

    @property
    def auth_mounts(self) -> dict[str, MountInVault]:
        """Vault's auth mounts by path."""
        if self._mounts is None:
            if self._mounts_before is not None:
                return self._mounts_before
            self._mounts = self.vault.auth_mounts()
        return self._mounts

    def forget(self, written: Iterable[Change] | None = None) -> None:
        """Look anew; after writes of ours, only at what they may have changed."""
        self._groups.clear()
        if written is None or any(change.path.startswith("sys/auth/") for change in written):
            self._mounts = self._mounts_before = None

    def is_only_planned(self, mount: str) -> bool:
        """Whether this look has found no such auth mount, so that nothing can be on it.

        An earlier look does not tell: the mount may have been made since, and others may have put there what
        a write would replace.
        """
        return self._mounts is not None and mount not in self._mounts

    def group(self, name: str) -> GroupInVault | None:
        """An identity group by its name."""
        if name not in self._groups:
            self._groups[name] = self.vault.group(name)
        return self._groups[name]


class VaultObject(ABC):
    """One object of Vault that a run has a say in."""

    never_adopted: ClassVar[str] = ""
    """Why it cannot be taken as it stands where it is somebody else's; empty if it can."""

    may_write: ClassVar[tuple[str, ...]] = ()
    """Paths that a run writes where our token may, and leaves to an administrator where it may not."""

    @property
    @abstractmethod
    def name(self) -> str:
        """As an operator names it, and as ``adopt`` does: ``policy/moc-kv-r``."""

    @property
    def row(self) -> str:
        """The prerequisite in preflight's table; objects of one kind may share it."""
        return f"{self.name} is free or ours"

    @property
    @abstractmethod
    def rules(self) -> tuple[VaultRule, ...]:
        """What our token has to be allowed for it, the values pinned to what a run writes."""

    def unknown(self, seen: Seen) -> str:
        """Why it cannot be compared yet, because of something that has a row of its own; empty if it can."""
        return ""

    @abstractmethod
    def compare(self, seen: Seen) -> Change:
        """What has to be done with it.

        Raises:
            Conflict: it is somebody else's, and nothing says that it may be taken as it stands.
            InvalidInput: it is to be adopted, and is not there.
        """

    def by_hand(self, change: Change) -> str:
        """The command with which an administrator makes a change of it, in backticks."""
        return f"`{administrators_command(change.path, change.payload)}`"


def nothing_to_adopt(name: str) -> InvalidInput:
    """The error for an adopted object that is not there: ours is not written in its place unasked."""
    return InvalidInput(
        "input",
        f"adopt={name!r}",
        "is not in Vault, so it cannot be adopted",
        "Leave it out of adopt to have it created, or ask its owner to create it first.",
    )
