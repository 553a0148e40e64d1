"""What the engine needs to know of a run's checked parameters, whatever its runbook."""

from __future__ import annotations

from typing import Any, Protocol

from runbook.names import Subject


class Asked(Protocol):
    """The parameters of one run."""

    @property
    def subject(self) -> Subject:
        """Whom the change is for."""

    @property
    def vault(self) -> str:
        """Name of the VaultConnection."""

    @property
    def gitops(self) -> str:
        """Name of the GitOpsRepository."""

    @property
    def approve(self) -> bool:
        """Whether a person has to approve the plan where no merge does."""

    @property
    def merge_timeout(self) -> str | None:
        """How long to wait for the merge; None for ever."""

    def differences(self, other: Any) -> tuple[str, ...]:
        """Parameters by which two runs for one subject would propose or write something else."""
