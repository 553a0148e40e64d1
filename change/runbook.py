"""What the gate needs to know of the runbooks whose runs wait at it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from change.asked import Asked
from connections import GitOpsRepository, VaultConnection
from runbook.errors import PermanentError
from runbook.gitops import FileEdit, Tree
from runbook.layout import Layout
from runbook.pull_request import Purpose

Lack = tuple[str, ...] | PermanentError
"""What a run lacks after its merge, in words, empty if nothing; or what keeps it from being told."""


@dataclass(frozen=True, slots=True)
class Runbook(ABC):
    """One runbook.

    Attributes:
        flow: name of its flow.
        title: name of a flow run, with ``{}`` for whom it is.
        branches: folder of the branches on which its changes are proposed, with a slash at its end.
        read: the checked parameters of a flow run. Raises `EnablementError` or `pydantic.ValidationError`.
        purpose: what its pull request says of the change, by the checked parameters, each file's diff and
            the repository's layout.
    """

    flow: str
    title: str
    branches: str
    read: Callable[[Mapping[str, Any]], Asked]
    purpose: Callable[[Any, Mapping[str, str], Layout], Purpose]

    @abstractmethod
    def missing(
        self,
        tree: Tree,
        asked: Any,
        repository: GitOpsRepository,
        vault: VaultConnection,
        served_versions: tuple[str, ...],
    ) -> tuple[FileEdit, ...]:
        """What a tree of the base branch lacks of the change of a run.

        Args:
            tree: a commit's files.
            asked: the run's checked parameters.
            repository, vault: its connections.
            served_versions: of the SecretStore, as it has seen them on its cluster.

        Raises:
            EnablementError: it cannot be worked out.
        """

    @abstractmethod
    def place(self, asked: Any) -> str:
        """Where it shows what a run lacks after its merge; the runs of one place are looked at together."""

    @abstractmethod
    def prepare_visit(self, several: Sequence[tuple[Any, str]]) -> Callable[[], list[Lack]]:
        """Get ready to look at a place, once, for several runs.

        Args:
            several: of each run its checked parameters, and the kind of what it waits for, see `wait_for`.

        Returns:
            What looks, from whichever thread, and gives up soon where nothing answers. Raises
            `EnablementError` where that is so for all.

        Raises:
            EnablementError: a connection cannot be loaded.
        """
