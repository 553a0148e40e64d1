"""The pages on which a person reads a pull request and presses a button."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
import requests

from deployments.sandbox.github_api import GitHubApi
from tests.github_checkout import Caller, Checkout

PULL = "/repos/sandbox/gitops/pulls/1"


class Page(HTMLParser):
    """The elements and the visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data

    def names(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def buttons(self) -> dict[str, bool]:
        """The value of each button, and whether it can be pressed."""
        return {str(each["value"]): "disabled" not in each for each in self.names("button")}

    @property
    def fields(self) -> dict[str, str]:
        return {str(each["name"]): str(each["value"]) for each in self.names("input")}


def page(github: GitHubApi, path: str = "/sandbox/gitops/pull/1") -> Page:
    answer = requests.get(f"{github.url}{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def press(github: GitHubApi, action: str, **fields: str) -> requests.Response:
    form = page(github).fields | {"action": action} | fields
    return requests.post(f"{github.url}/sandbox/gitops/pull/1", data=form, timeout=30)


@pytest.fixture
def proposed(checkout: Checkout, pipeline: Caller) -> str:
    commit = checkout.propose("topic", "Add b", list_yaml="resources:\n  - a\n  - b\n  - c\n")
    pipeline.open(
        "topic",
        title="Enable ember",
        body="<!-- kept -->\nIt **needs** secrets.\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    )
    return commit


@pytest.mark.usefixtures("proposed")
def test_the_page_shows_title_description_and_diff(github: GitHubApi) -> None:
    shown = page(github)
    assert "Enable ember" in shown.text
    assert "kept" not in shown.text, "GitHub does not show comments of HTML"
    assert "stand-in for GitHub in the sandbox" in shown.text
    assert ("strong", {}) in shown.tags
    assert len(shown.names("td")) > 4
    assert "list.yaml" in shown.text
    html = requests.get(f"{github.url}/sandbox/gitops/pull/1", timeout=30).text
    added = re.findall(r'<tr class="added">.*?<td>(.*?)</td></tr>', html, re.DOTALL)
    assert added == ["  - b"]
    assert "Enable ember" in page(github, "/sandbox/gitops/pulls").text
    assert "sandbox/gitops" in page(github, "/").text
    diff = requests.get(f"{github.url}/sandbox/gitops/pull/1.diff", timeout=30).text
    assert "+  - b" in diff.splitlines()


@pytest.mark.usefixtures("proposed")
@pytest.mark.parametrize(("action", "parents"), [("merge", 2), ("squash", 1), ("rebase", 1)])
def test_a_button_merges(github: GitHubApi, pipeline: Caller, action: str, parents: int) -> None:
    assert page(github).buttons == {"merge": True, "squash": True, "rebase": True, "close": True}
    answer = press(github, action)
    assert answer.status_code == 200
    assert "Merged by reviewer" in Page(answer.text).text
    shown = pipeline.get(PULL)
    assert (shown["merged"], shown["merged_by"]["login"]) == (True, "reviewer")
    commit = pipeline.get(f"/repos/sandbox/gitops/commits/{shown['merge_commit_sha']}")
    assert len(commit["parents"]) == parents


@pytest.mark.usefixtures("proposed")
def test_buttons_close_reopen_and_delete_the_branch(github: GitHubApi, pipeline: Caller) -> None:
    closed = Page(press(github, "close").text)
    assert "Closed by reviewer" in closed.text
    assert closed.buttons == {"reopen": True, "delete-branch": True}
    assert "Open" in Page(press(github, "reopen").text).text
    assert pipeline.get(PULL)["state"] == "open"
    press(github, "close")
    assert Page(press(github, "delete-branch").text).buttons == {"reopen": False}
    pipeline.get("/repos/sandbox/gitops/branches/topic", status=404)


@pytest.mark.usefixtures("proposed")
def test_a_conflict_disables_the_merge_buttons(github: GitHubApi, checkout: Checkout) -> None:
    checkout.git("checkout", "--quiet", "-B", "main", "origin/main")
    checkout.commit("Add x", list_yaml="resources:\n  - a\n  - x\n  - c\n")
    checkout.git("push", "--quiet", "origin", "main")
    shown = page(github)
    assert "conflicts" in shown.text
    assert shown.buttons == {"merge": False, "squash": False, "rebase": False, "close": True}
    refused = press(github, "merge")
    assert refused.status_code == 405
    assert "Pull Request is not mergeable" in Page(refused.text).text


@pytest.mark.usefixtures("proposed")
def test_what_was_not_read_is_not_merged(github: GitHubApi, checkout: Checkout, pipeline: Caller) -> None:
    read = page(github).fields
    checkout.commit("Two", two_txt="2\n")
    checkout.git("push", "--quiet", "origin", "topic")
    refused = press(github, "merge", head=read["head"])
    assert refused.status_code == 409
    assert "Head branch was modified" in refused.text
    assert pipeline.get(PULL)["merged"] is False


@pytest.mark.usefixtures("proposed")
def test_a_form_of_another_web_site_presses_nothing(github: GitHubApi, pipeline: Caller) -> None:
    url = f"{github.url}/sandbox/gitops/pull/1"
    head = page(github).fields["head"]
    for form in (
        {"action": "merge", "head": head},
        {"action": "merge", "head": head, "form_token": "guessed"},
        {"action": "x" * 10_000},
    ):
        assert requests.post(url, data=form, timeout=30).status_code == 403
    assert pipeline.get(PULL)["state"] == "open"
    rebound = requests.get(url, headers={"Host": "evil.example.com"}, timeout=30)
    assert rebound.status_code == 400
    assert "form_token" not in rebound.text


def test_an_unknown_button_does_nothing(github: GitHubApi, proposed: str, pipeline: Caller) -> None:
    assert press(github, "explode").status_code == 400
    assert press(github, "delete-branch").status_code == 200
    assert pipeline.get("/repos/sandbox/gitops/branches/topic")["commit"]["sha"] == proposed


HOSTILE: Any = '<script>alert(1)</script><img src=x onerror="alert(1)">'


def test_whatever_somebody_writes_is_shown_as_text(
    github: GitHubApi, checkout: Checkout, pipeline: Caller
) -> None:
    checkout.propose("to<b>pic", HOSTILE, new_txt=f"{HOSTILE}\n")
    pipeline.open(
        "to<b>pic",
        title=HOSTILE,
        body=f"{HOSTILE}\n\n[here](javascript:alert(1)) ![](http://example.com/x.png)\n\n`{HOSTILE}`",
    )
    pipeline.send("POST", "/repos/sandbox/gitops/issues/1/comments", {"body": HOSTILE})
    for path in ("/sandbox/gitops/pull/1", "/sandbox/gitops/pulls"):
        answer = requests.get(f"{github.url}{path}", timeout=30)
        shown = Page(answer.text)
        assert HOSTILE in shown.text
        assert not shown.names("script")
        assert not shown.names("img")
        assert not [link for link in shown.names("a") if "javascript" in str(link.get("href"))]
        assert not [
            attributes for _, attributes in shown.tags if any(name.startswith("on") for name in attributes)
        ]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_page_that_is_not_there_is_not_found(github: GitHubApi) -> None:
    for path in ("/sandbox/nothing/pulls", "/sandbox/gitops/pull/9", "/sandbox/gitops/pull/x", "/docs"):
        assert requests.get(f"{github.url}{path}", timeout=30).status_code == 404
