"""What an onboarding is in the GitOps repository: the edits, and what must be there before them."""

from runbook.gitops.checks import check_repository, declared_namespaces, interesting_folders
from runbook.gitops.edits import StoreSettings, store_api_version, wanted_edits
from runbook.gitops.landing import Meaning, fingerprint, meaning_of, unmet
from runbook.gitops.tree import EditedTree, FileEdit, FileTree, Tree

__all__ = [
    "EditedTree",
    "FileEdit",
    "FileTree",
    "Meaning",
    "StoreSettings",
    "Tree",
    "check_repository",
    "declared_namespaces",
    "fingerprint",
    "interesting_folders",
    "meaning_of",
    "store_api_version",
    "unmet",
    "wanted_edits",
]
