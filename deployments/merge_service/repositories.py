"""The repositories that the connections name: deliveries of any other are none of our business."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from connections import GitOpsRepository


class Repositories:
    """What the `GitOpsRepository` Blocks say, to be asked by GitHub's names.

    GitHub takes ``owner/name`` in any case and delivers it in one; a Block may have another.
    """

    def __init__(self, documents: Iterable[dict[str, Any]] = ()) -> None:
        """Args: documents: the Blocks' fields; ``repository`` and ``base_branch`` are read."""
        self._spellings: defaultdict[str, set[str]] = defaultdict(set)
        self._base_branches: defaultdict[str, set[str]] = defaultdict(set)
        for fields in documents:
            name = str(fields.get("repository", ""))
            if name:
                self._spellings[name.lower()].add(name)
                self._base_branches[name.lower()].add(str(fields.get("base_branch", "")))

    def spelled(self, full_name: str) -> frozenset[str]:
        """A repository as the Blocks spell it; empty if none names it."""
        return frozenset(self._spellings.get(full_name.lower(), ()))

    def has_base_branch(self, full_name: str, branch: str) -> bool:
        """Whether a Block names this branch of this repository as the one that ArgoCD deploys."""
        return branch in self._base_branches.get(full_name.lower(), ())

    def __len__(self) -> int:
        return len(self._spellings)


def read_repositories(client: SyncPrefectClient) -> Repositories:
    """Ask the Prefect server for the Blocks. Their tokens stay there.

    Raises:
        httpx.HTTPError: the server did not answer, or refused.
    """
    slug = GitOpsRepository.get_block_type_slug()
    try:
        documents = client.read_block_documents_by_type(slug, include_secrets=False)
    except ObjectNotFound:
        return Repositories()  # no connection was ever saved
    return Repositories(document.data for document in documents)
