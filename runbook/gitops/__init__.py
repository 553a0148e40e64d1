"""What an onboarding is in the GitOps repository: the edits, and what must be there before them."""

from runbook.gitops.builds import Builds, Rebuilt
from runbook.gitops.built import BuildFolders, Built, Present, build_named, present_in
from runbook.gitops.built_applications import application_names
from runbook.gitops.checks import check_repository, declared_namespaces, interesting_folders
from runbook.gitops.component import edits_with_patches
from runbook.gitops.edits import namespace_edits, wanted_edits
from runbook.gitops.judgement import built_namespaces, judge
from runbook.gitops.landing import Meaning, fingerprint, meaning_of, unmet
from runbook.gitops.needed import needed_files
from runbook.gitops.sources import Sources, sources_of
from runbook.gitops.stores import store_namespaces
from runbook.gitops.tree import EditedTree, FileEdit, FileTree, Tree, check_way
from runbook.manifests import StoreSettings

__all__ = [
    "BuildFolders",
    "Builds",
    "Built",
    "EditedTree",
    "FileEdit",
    "FileTree",
    "Meaning",
    "Present",
    "Rebuilt",
    "Sources",
    "StoreSettings",
    "Tree",
    "application_names",
    "build_named",
    "built_namespaces",
    "check_repository",
    "check_way",
    "declared_namespaces",
    "edits_with_patches",
    "fingerprint",
    "interesting_folders",
    "judge",
    "meaning_of",
    "namespace_edits",
    "needed_files",
    "present_in",
    "sources_of",
    "store_namespaces",
    "unmet",
    "wanted_edits",
]
