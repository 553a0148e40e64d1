"""The Git repositories on disk: made empty, from a seed, or as a fork."""

from __future__ import annotations

import shutil
from pathlib import Path

from sandbox.github_api.git import Git
from sandbox.github_api.state import PullRequest, Repository

_CONFIGURATION = """\
# What GitHub's remote can do, and a shallow or partial clone needs.
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
# A repository that is served must not be repacked under its clients' feet.
[gc]
\tauto = 0
"""


class Hosting:
    """Bare repositories below ``root``, and one work tree each for merging."""

    def __init__(self, folder: Path) -> None:
        self.git = Git(folder / "home")
        self.root = folder / "repositories"
        self._work_trees = folder / "work-trees"

    def forget(self) -> None:
        """Remove every repository."""
        for folder in (self.root, self._work_trees):
            shutil.rmtree(folder, ignore_errors=True)

    def path(self, repository: Repository) -> Path:
        """The bare repository."""
        return self.root / f"{repository.full_name}.git"

    def create(self, repository: Repository, seed: str | Path) -> None:
        """Make the bare repository, with the branches and tags of ``seed``.

        The seed (a path or a URL) is cloned and never written to. The repository's ``default_branch`` becomes
        the branch that the seed has checked out.

        Raises:
            GitError: if the seed cannot be cloned, or has no branch checked out.
        """
        self.clone(seed, repository)
        repository.default_branch = self.git.run(
            self.path(repository), "symbolic-ref", "--short", "HEAD"
        ).strip()

    def clone(self, source: str | Path, repository: Repository) -> None:
        """Fill a repository from another one; half a clone is never at its place."""
        # Somebody's checkout may belong to another user than the one who runs the sandbox; Git then asks
        # to be told that this is meant, and hears it from a configuration file only.
        trust = self.root / "seed.gitconfig"
        draft = self.path(repository).with_suffix(".new")
        draft.parent.mkdir(parents=True, exist_ok=True)
        trust.write_text("[safe]\n\tdirectory = *\n", "utf-8")
        self.git.run(
            self.root,
            *("clone", "--quiet", "--bare", "--no-hardlinks", "--template=", "--", str(source), str(draft)),
            GIT_CONFIG_GLOBAL=str(trust),
        )
        with (draft / "config").open("a", encoding="utf-8") as configuration:
            configuration.write(_CONFIGURATION)
        draft.rename(self.path(repository))

    def work_tree(self, repository: Repository) -> Path:
        """A checkout of the repository to merge in; what an earlier use left in it is anybody's guess."""
        work_tree = self._work_trees / repository.full_name
        if not work_tree.exists():
            self.git.run(
                self.path(repository),
                *("worktree", "add", "--quiet", "--detach", "--no-checkout", str(work_tree)),
            )
        return work_tree

    def bring_head_of(self, pull: PullRequest) -> None:
        """Have the commits of a pull request from a fork in the base repository, too."""
        if pull.head is not pull.base:
            self.git.run(
                self.path(pull.base),
                "fetch",
                "--quiet",
                "--no-tags",
                str(self.path(pull.head)),
                pull.head_sha,
            )
