"""Git as a child process, in an environment of our own.

Nothing of the person's Git reaches it: no configuration, no credential helper, no hook, no proxy.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


class GitError(RuntimeError):
    """A Git command that failed, with what it said."""

    def __init__(self, command: str, status: int, said: str) -> None:
        self.status = status
        self.said = said.strip()
        super().__init__(f"git {command} ended with {status}: {self.said}")


@dataclass(frozen=True)
class Identity:
    """Who stands in a commit."""

    name: str
    email: str


@dataclass(frozen=True)
class Git:
    """Runs Git. ``home`` is an empty folder of ours that stands in for the person's."""

    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """The whole environment of a Git child process."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            **more,
        }

    def run(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
        """What ``git -C folder <arguments>`` prints.

        Raises:
            GitError: if it ends with anything but 0.
        """
        return self.run_bytes(folder, *arguments, environment=environment).decode("utf-8", "replace")

    def run_bytes(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> bytes:
        """As `run`, but undecoded: for the content of files."""
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=self.environment(**(environment or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace")
            raise GitError(arguments[0], done.returncode, said)
        return done.stdout

    def succeeds(self, folder: Path, *arguments: str) -> bool:
        """Whether a command that answers by its exit status (0 or 1) says yes."""
        try:
            self.run(folder, *arguments)
        except GitError as error:
            if error.status == 1:
                return False
            raise
        return True

    def commit_of(self, folder: Path, revision: str) -> str | None:
        """The full id of the commit that ``revision`` names, None if there is none."""
        try:
            return self.run(
                folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
            ).strip()
        except GitError:
            return None

    def branches(self, folder: Path) -> dict[str, str]:
        """Name and commit of each branch."""
        listed = self.run(folder, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
        return {name: commit for commit, name in (line.split(" ", 1) for line in listed.splitlines())}

    def is_ancestor(self, folder: Path, commit: str, of: str) -> bool:
        """Whether ``commit`` is reachable from ``of``."""
        return self.succeeds(folder, "merge-base", "--is-ancestor", commit, of)
