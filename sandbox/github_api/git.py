"""Git as a child process, in an environment that holds nothing of the person's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sandbox.environment import clean_environment

STAND_IN = "GitHub"
"""Who commits what is merged here, as on the real one."""


class GitError(RuntimeError):
    """A Git command that failed, with its exit status and what it said."""

    def __init__(self, command: str, status: int, said: str) -> None:
        self.status = status
        super().__init__(f"git {command} ended with {status}: {said.strip()}")


class Git:
    """Runs Git. ``home`` is a folder of ours that stands in for the person's."""

    def __init__(self, home: Path) -> None:
        self.environment = clean_environment(home, TZ="UTC")

    def run(self, folder: Path, *arguments: str, given: str | bytes = b"", **environment: str) -> str:
        """What ``git -C folder <arguments>`` prints, with ``given`` as its input.

        Raises:
            GitError: if it ends with anything but 0.
        """
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env={**self.environment, **environment},
            input=given.encode() if isinstance(given, str) else given,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace")
            raise GitError(arguments[0], done.returncode, said)
        return done.stdout.decode("utf-8", "replace")

    def commit_of(self, folder: Path, branch: str) -> str | None:
        """The commit at the head of a branch, None if there is no such branch."""
        try:
            return self.run(folder, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}").strip()
        except GitError:
            return None

    def branches(self, folder: Path) -> dict[str, str]:
        """Name and commit of each branch."""
        listed = self.run(folder, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
        return {name: commit for commit, name in (line.split(" ", 1) for line in listed.splitlines())}

    def is_ancestor(self, folder: Path, commit: str, of: str) -> bool:
        """Whether ``commit`` is reachable from ``of``."""
        return self.run(folder, "rev-list", "--max-count=1", commit, f"^{of}") == ""


def committing(author: str, committer: str = STAND_IN) -> dict[str, str]:
    """The environment that names author and committer."""
    return {
        "GIT_AUTHOR_NAME": author,
        "GIT_AUTHOR_EMAIL": f"{author}@users.noreply.github.example",
        "GIT_COMMITTER_NAME": committer,
        "GIT_COMMITTER_EMAIL": f"{committer}@users.noreply.github.example",
    }
