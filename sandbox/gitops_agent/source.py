"""The Git repository as ArgoCD sees it: the head of one branch, and its tree."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

from sandbox.gitops_agent.options import Options

_GIT_SECONDS = 120

# Git asks for a user name and for a password; the token is read from its file only then, so that it is in no
# environment and in no argument list.
_ASKPASS = """#!/bin/sh
case "$1" in
  Username*) echo x-access-token ;;
  *) exec cat "$GITOPS_AGENT_TOKEN_FILE" ;;
esac
"""


class RepositoryError(Exception):
    """The repository does not answer as it should; the message is git's own, in one line."""


class Source:
    """One branch of a repository, checked out below the state directory."""

    def __init__(self, options: Options, environment: Mapping[str, str]) -> None:
        if urlsplit(options.repository).password:
            msg = "the URL of the repository holds a password; give a token file instead"
            raise RepositoryError(msg)
        self._url = options.repository
        self._branch = options.branch
        self.tree = options.state_dir.resolve() / "tree"
        self._environment = dict(environment)
        if options.token_file:
            askpass = options.state_dir.resolve() / "askpass"
            askpass.write_text(_ASKPASS)
            askpass.chmod(0o700)
            self._environment["GIT_ASKPASS"] = str(askpass)
            self._environment["GITOPS_AGENT_TOKEN_FILE"] = str(options.token_file.resolve())

    def head(self) -> str:
        """The commit at the head of the branch."""
        answer = self._git(
            "look at the branch", "ls-remote", "--exit-code", self._url, f"refs/heads/{self._branch}"
        )
        return answer.split()[0]

    def export(self) -> str:
        """Bring `tree` to the head of the branch; returns its commit."""
        if not (self.tree / ".git").is_dir():
            shutil.rmtree(self.tree, ignore_errors=True)
            self._git("make the checkout", "init", "--quiet", str(self.tree))
        in_tree = ("-C", str(self.tree))
        self._git("fetch", *in_tree, "fetch", "--quiet", "--depth=1", self._url, f"refs/heads/{self._branch}")
        self._git("check out", *in_tree, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
        return (self.tree / ".git" / "HEAD").read_text().strip()  # detached, so it is the commit itself

    def _git(self, purpose: str, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments],
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=_GIT_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            msg = f"git did not {purpose} within {_GIT_SECONDS} s"
            raise RepositoryError(msg) from None
        if done.returncode != 0:
            answer = " ".join(done.stderr.split()) or f"no branch {self._branch}"
            msg = f"git could not {purpose}: {answer}"
            raise RepositoryError(msg)
        return done.stdout
