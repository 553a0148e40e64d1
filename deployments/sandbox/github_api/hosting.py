"""The Git repositories on disk: made empty, from a seed, or as a fork."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deployments.sandbox.github_api.git import Git, GitError, Identity
from deployments.sandbox.github_api.state import PullRequest, Repository

STAND_IN = Identity("GitHub stand-in", "noreply@github.example")
"""Who commits what is merged on a page, as ``GitHub <noreply@github.com>`` does on the real one."""

_CONFIGURATION = f"""\
[http]
\treceivepack = true
# What GitHub's remote can do, and a shallow or partial clone needs.
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
# refs/pull/* can be fetched from GitHub, but not pushed to.
[receive]
\thideRefs = refs/pull
\tautogc = false
# A repository that is served must not be repacked under its clients' feet.
[gc]
\tauto = 0
[core]
\thooksPath = {os.devnull}
"""


def identity_of(login: str) -> Identity:
    """How a user stands in a commit that was made on a page."""
    return Identity(login, f"{login}@users.noreply.github.example")


class Hosting:
    """Bare repositories below ``folder``, and one work tree each for merging."""

    def __init__(self, folder: Path, git: Git) -> None:
        self.git = git
        self.root = folder / "repositories"
        self._work_trees = folder / "work-trees"
        self._make_folders()

    def forget(self) -> None:
        """Remove every repository."""
        for folder in (self.root, self._work_trees):
            shutil.rmtree(folder)
        self._make_folders()

    def path(self, repository: Repository) -> Path:
        """The bare repository."""
        return self.root / repository.owner / f"{repository.name}.git"

    def create(self, repository: Repository, seed: str | Path | None) -> None:
        """Make the bare repository, with the branches and tags of ``seed`` or with one first commit.

        The seed (a path, a bundle or a URL) is cloned and never written to. The repository's
        ``default_branch`` becomes the seed's HEAD; of a seed without one, ``main``.

        Raises:
            GitError: if the seed cannot be cloned.
        """
        draft = self._draft(repository)
        if seed is None:
            self._first_commit(draft, repository)
        else:
            self._clone(seed, draft)
            repository.default_branch = self._settle_head(draft, seed)
        self._publish(draft, repository)

    def fork(self, parent: Repository, fork: Repository) -> None:
        """Bring the Git data of ``parent`` into its new fork."""
        draft = self._draft(fork)
        self._clone(self.path(parent), draft)
        self._publish(draft, fork)

    def work_tree(self, repository: Repository) -> Path:
        """A checkout of the repository to merge in; what an earlier use left in it is anybody's guess."""
        work_tree = self._work_trees / repository.owner / repository.name
        if not work_tree.exists():
            bare = self.path(repository)
            self.git.run(bare, "worktree", "prune")
            self.git.run(bare, "worktree", "add", "--quiet", "--detach", "--no-checkout", str(work_tree))
        return work_tree

    def update_head_of(self, pull: PullRequest, base: Repository, head: Repository, commit: str) -> None:
        """Keep a pull request's commits in its base repository, as ``refs/pull/<number>/head``."""
        reference = f"refs/pull/{pull.number}/head"
        if base.id != head.id:
            self.git.run(self.path(base), "fetch", "--quiet", "--no-tags", str(self.path(head)), commit)
        self.git.run(self.path(base), "update-ref", reference, commit)

    def _clone(self, source: str | Path, target: Path) -> None:
        # Somebody's checkout may belong to another user than the one who runs the sandbox; Git then asks
        # to be told that this is meant, and hears it from a configuration file only.
        trust = self.git.home / "seed.gitconfig"
        trust.write_text("[safe]\n\tdirectory = *\n", "utf-8")
        self.git.run(
            target.parent,
            *("clone", "--quiet", "--bare", "--no-hardlinks", "--template=", "--", str(source), str(target)),
            environment={"GIT_CONFIG_GLOBAL": str(trust)},
        )
        self.git.run(target, "remote", "remove", "origin")
        for reference in self.git.run(target, "for-each-ref", "--format=%(refname)").splitlines():
            if not reference.startswith(("refs/heads/", "refs/tags/")):
                self.git.run(target, "update-ref", "-d", reference)

    def _settle_head(self, bare: Path, seed: str | Path) -> str:
        """The branch that HEAD stands for; a detached HEAD (a CI's checkout) gets a branch."""
        branches = self.git.branches(bare)
        commit = self.git.commit_of(bare, "HEAD")
        try:
            head = self.git.run(bare, "symbolic-ref", "--quiet", "--short", "HEAD").strip()
        except GitError:
            head = "main"
            if commit is not None and head not in branches:
                self.git.run(bare, "update-ref", f"refs/heads/{head}", commit)
                branches[head] = commit
        if head not in branches:
            head = next((name for name in ("main", "master", *branches) if name in branches), "")
        if not head:
            raise GitError("clone", 0, f"{seed} has no branch to start from")
        self.git.run(bare, "symbolic-ref", "HEAD", f"refs/heads/{head}")
        return head

    def _first_commit(self, bare: Path, repository: Repository) -> None:
        git, branch = self.git, repository.default_branch
        git.run(
            bare.parent, "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", str(bare)
        )
        tree = git.run(bare, "write-tree").strip()
        commit = git.run(
            bare, "commit-tree", tree, "-m", "Initial commit", environment=committing(STAND_IN, STAND_IN)
        ).strip()
        git.run(bare, "update-ref", f"refs/heads/{branch}", commit)

    def _make_folders(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._work_trees.mkdir(exist_ok=True)

    def _draft(self, repository: Repository) -> Path:
        """An empty place beside the repository's own: half a clone must not look like a whole one."""
        draft = self.path(repository).with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        return draft

    def _publish(self, draft: Path, repository: Repository) -> None:
        with (draft / "config").open("a", encoding="utf-8") as configuration:
            configuration.write(_CONFIGURATION)
        draft.rename(self.path(repository))


def committing(author: Identity, committer: Identity) -> dict[str, str]:
    """The environment that names author and committer."""
    return {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_COMMITTER_NAME": committer.name,
        "GIT_COMMITTER_EMAIL": committer.email,
    }
