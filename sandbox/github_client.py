"""The GitHub stand-in as the reviewer of the demo uses it: find the pull request, see it, merge it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from sandbox.ports import ANSWER_SECONDS


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What the demo needs to know of one."""

    number: int
    page: str
    merged: bool
    closed: bool


class GitHubClient:
    """One repository, as one user."""

    def __init__(self, api_url: str, repository: str, token: str) -> None:
        self._url = f"{api_url}/repos/{repository}"
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc
        self._session.headers.update(
            {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        )

    def newest_pull_request(self) -> PullRequest | None:
        """The newest pull request, None while there is none. A demo begins without any."""
        found = self._request("GET", "/pulls?state=all&sort=created&direction=desc&per_page=1")
        if not found:
            return None
        (pull,) = found
        merged = pull["merged_at"] is not None
        return PullRequest(pull["number"], pull["html_url"], merged, pull["state"] == "closed" and not merged)

    def merge(self, number: int) -> str:
        """Merge a pull request; returns the commit on the base branch."""
        commit: str = self._request("PUT", f"/pulls/{number}/merge", {"merge_method": "merge"})["sha"]
        return commit

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._session.request(method, f"{self._url}{path}", json=body, timeout=ANSWER_SECONDS)
        if not answer.ok:
            msg = f"{method} {path}: {answer.status_code} {answer.text[:300]}"
            raise requests.HTTPError(msg, response=answer)
        return answer.json()
