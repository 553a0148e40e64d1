"""A GitOps repository with a history, made in seconds: what a clone costs depends on how much there is."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sandbox.environment import clean_environment

FILES, COMMITS = 3000, 3000
"""About as many as operate-first/apps has."""

_WORDS = ("metadata", "namespace", "operator", "cluster", "resources", "limits", "requests", "rules", "verbs")
_FOLDERS = (
    "cluster-scope/base/core/namespaces",
    "cluster-scope/base/rbac.authorization.k8s.io/clusterroles",
    "cluster-scope/overlays/prod/emea",
    "argocd/overlays/moc-infra/applications/envs/emea",
    "external-secrets/overlays/emea",
    "monitoring/overlays/prod",
    "tenants/overlays/prod",
    "docs/procedures",
)


def make_repository(directory: Path, files: int = FILES, commits: int = COMMITS) -> Path:
    """A bare repository: ``main`` has so many files after so many commits, each an edit of one file."""
    repository = directory / "history.git"
    environment = clean_environment(directory / "home")
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository)],
        env=environment,
        check=True,
    )
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=repository,
        env=environment,
        input="".join(filler(files, commits)).encode(),
        check=True,
    )
    return repository


def filler(files: int, commits: int, base: str = "") -> Iterator[str]:
    """So many files and commits on ``main`` as commands of git fast-import. The same each time.

    Args:
        files: that the first commit adds.
        commits: one more for each; they edit one file.
        base: the commit that they follow; they begin the branch if it is empty.
    """
    chance = random.Random(0)  # noqa: S311 - text to fill files with
    paths = [f"{_FOLDERS[number % len(_FOLDERS)]}/part-{number}/resource.yaml" for number in range(files)]
    yield commit(0, "Add everything") + (f"from {base}\n" if base else "")
    for path in paths:
        yield file(path, _manifest(chance))
    for number in range(1, commits):
        yield commit(number, f"Change {number}")
        yield file(chance.choice(paths), _manifest(chance))


def commit(number: int, message: str, branch: str = "main") -> str:
    """The number-th hour's commit on a branch, for git fast-import: its base (``from``) and files follow."""
    moment = f"{1_600_000_000 + 3600 * number} +0000"
    return (
        f"commit refs/heads/{branch}\ncommitter Operator <operator@example.com> {moment}\n"
        f"data {len(message)}\n{message}\n"
    )


def file(path: str, content: str) -> str:
    """A file of that commit; ``content`` is ASCII."""
    return f"M 100644 inline {path}\ndata {len(content)}\n{content}\n"


def _manifest(chance: random.Random) -> str:
    """About 2.5 kB of ASCII that looks like YAML and compresses like it."""
    lines = [
        f"{chance.choice(_WORDS)}-{chance.randrange(10**6)}: {chance.choice(_WORDS)}\n" for _ in range(90)
    ]
    return "".join(lines)
