"""A developer's clone, and a caller of the GitHub stand-in's API: for the tests of several folders."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import requests

from sandbox.environment import clean_environment
from sandbox.github_api import GitHubApi, User
from sandbox.ports import ANSWER_SECONDS

_ASKPASS = '#!/bin/sh\nprintf %s "$CHECKOUT_TOKEN"\n'

USERS = {
    "pipeline": User(permissions={"sandbox/gitops": "write"}, organizations=("forks",)),
    "reviewer": User(permissions={"*": "admin"}),
    "read-only": User(permissions={"*": "read"}, read_only_token=True),
    "contributor": User(permissions={"sandbox/gitops": "read"}),
    "stranger": User(),
}


class Checkout:
    """Git in a folder of its own, with a token as the password and nothing of the person's configuration."""

    def __init__(self, home: Path, name: str = "checkout", token: str | None = None) -> None:
        self.folder = home / name
        self.folder.mkdir(parents=True)
        askpass = home / f"askpass-{name}"
        askpass.write_text(_ASKPASS)
        askpass.chmod(0o700)
        self._environment = clean_environment(
            home / f"home-{name}",
            GIT_ASKPASS=str(askpass) if token else os.devnull,
            CHECKOUT_TOKEN=token or "",
            GIT_AUTHOR_NAME="Dana",
            GIT_AUTHOR_EMAIL="dana@example.com",
            GIT_COMMITTER_NAME="Dana",
            GIT_COMMITTER_EMAIL="dana@example.com",
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A Git command, whatever comes of it."""
        return subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        """What a Git command prints; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def clone(self, url: str, *options: str) -> Checkout:
        """Clone into the folder."""
        self.git("clone", "--quiet", *options, url, ".")
        return self

    def commit(self, message: str, **files: str) -> str:
        """Write files (``__`` in a name is a slash, ``_`` a dot), commit everything and return the commit."""
        for name, text in files.items():
            path = self.folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def propose(self, branch: str, message: str, base: str = "origin/main", **files: str) -> str:
        """A new branch from ``base`` with one commit, pushed."""
        self.git("checkout", "--quiet", "--no-track", "-B", branch, base)
        commit = self.commit(message, **files)
        self.git("push", "--quiet", "--force", "origin", branch)
        return commit


class Caller:
    """Sends requests to the stand-in's API as one user, or with any token."""

    def __init__(self, github: GitHubApi, login: str = "pipeline", token: str | None = None) -> None:
        self._api = github.api_url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token or github.token_of(login)}"

    def send(self, method: str, path: str, body: Any = None) -> requests.Response:
        """The answer to a request; ``path`` begins with a slash."""
        url = path if path.startswith("http") else f"{self._api}{path}"
        return self._session.request(method, url, json=body, timeout=ANSWER_SECONDS)

    def get(self, path: str, status: int = 200) -> Any:
        """The decoded answer to a GET, which must have this status."""
        answer = self.send("GET", path)
        assert answer.status_code == status, answer.text
        return answer.json()

    def open(self, head: str, base: str = "main", title: str = "Change", body: str | None = "Why") -> Any:
        """Open a pull request into ``sandbox/gitops``."""
        wanted = {"title": title, "head": head, "base": base, "body": body}
        answer = self.send("POST", "/repos/sandbox/gitops/pulls", wanted)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def merge(self, number: int, **body: str) -> requests.Response:
        """Try to merge a pull request of ``sandbox/gitops``."""
        return self.send("PUT", f"/repos/sandbox/gitops/pulls/{number}/merge", body)


def seed(home: Path) -> Path:
    """A repository with three commits on ``main`` and a tag, to fill a stand-in with."""
    made = Checkout(home, "seed")
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit("Begin", README_md="# Clusters\n", list_yaml="resources:\n  - a\n  - c\n")
    made.git("tag", "v1")
    made.commit("Add a folder", overlays__ember__kustomization_yaml="resources: []\n")
    made.commit("Say more", README_md="# Clusters\n\nEach has a folder.\n")
    return made.folder
