"""The page on which a person reads a pull request and presses a button."""

from __future__ import annotations

import html
import re

import pytest
import requests

from sandbox.github_api import GitHubApi
from tests.github_checkout import Caller, Checkout

PULL = "/repos/sandbox/gitops/pulls/1"


def read(github: GitHubApi) -> str:
    answer = requests.get(f"{github.url}/sandbox/gitops/pull/1", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.text


def head_on(page: str) -> str:
    return str(re.findall(r'name="head" value="(\w+)"', page)[0])


def press(github: GitHubApi, page: str, action: str, **headers: str) -> requests.Response:
    form = {"action": action, "head": head_on(page)}
    return requests.post(f"{github.url}/sandbox/gitops/pull/1", data=form, headers=headers, timeout=30)


@pytest.fixture
def page(github: GitHubApi, checkout: Checkout, pipeline: Caller) -> str:
    checkout.propose("topic", "Add b", list_yaml="resources:\n  - a\n  - b\n  - c\n")
    pipeline.open("topic", title="Enable ember", body="<!-- kept -->\nIt **needs** secrets.")
    return read(github)


def test_it_shows_title_description_and_diff(page: str) -> None:
    for part in ("Enable ember", "<strong>needs</strong>", "Add b", "a/list.yaml b/list.yaml"):
        assert part in page
    assert "kept" not in page, "GitHub does not show comments of HTML"
    assert re.findall(r'<div class="added">(.*)</div>', page) == ["+  - b"]


def test_a_description_keeps_its_lines(github: GitHubApi, checkout: Checkout, pipeline: Caller) -> None:
    checkout.propose("topic", "Add b", list_yaml="resources:\n  - b\n")
    pipeline.open("topic", title="Enable ember", body="Flow run\nPlan: `1`")
    assert "Flow run<br />\nPlan:" in read(github)


@pytest.mark.parametrize(
    ("action", "says"), [("merge", "Merged by reviewer"), ("close", "Closed by reviewer, not merged")]
)
def test_a_button_merges_or_closes(
    github: GitHubApi, pipeline: Caller, page: str, action: str, says: str
) -> None:
    assert says in press(github, page, action, Origin=github.url).text
    shown = pipeline.get(PULL)
    assert (shown["state"], shown["merged_at"] is not None) == ("closed", action == "merge")


def test_a_conflict_disables_the_merge_button(github: GitHubApi, checkout: Checkout, page: str) -> None:
    assert "disabled>" not in page
    checkout.git("checkout", "--quiet", "-B", "main", "origin/main")
    checkout.commit("Add x", list_yaml="resources:\n  - a\n  - x\n  - c\n")
    checkout.git("push", "--quiet", "origin", "main")
    assert read(github).count("disabled>") == 1
    refused = press(github, page, "merge")
    assert (refused.status_code, "Pull Request is not mergeable" in refused.text) == (405, True)


def test_what_was_not_read_is_not_merged(github: GitHubApi, checkout: Checkout, page: str) -> None:
    checkout.commit("Two", two_txt="2\n")
    checkout.git("push", "--quiet", "origin", "topic")
    refused = press(github, page, "merge")
    assert (refused.status_code, "Head branch was modified" in refused.text) == (409, True)


@pytest.mark.parametrize("form", [{"action": "merge"}, {"action": "reopen", "head": "0" * 40}, {}])
def test_a_form_that_is_not_the_pages_is_refused_in_words(
    github: GitHubApi, pipeline: Caller, page: str, form: dict[str, str]
) -> None:
    refused = requests.post(f"{github.url}/sandbox/gitops/pull/1", data=form, timeout=30)
    assert (refused.status_code, "the head that was read" in refused.text) == (422, True)
    assert pipeline.get(PULL)["state"] == "open"


def test_another_web_site_reads_and_presses_nothing(github: GitHubApi, pipeline: Caller, page: str) -> None:
    assert press(github, page, "merge", Origin="http://evil.example.com").status_code == 403
    assert pipeline.get(PULL)["state"] == "open"
    assert press(github, page, "merge", Host="evil.example.com").status_code == 400


def test_whatever_somebody_writes_is_shown_as_text(
    github: GitHubApi, checkout: Checkout, pipeline: Caller
) -> None:
    hostile = '<script>alert(1)</script><img src=x onerror="alert(1)">'
    checkout.propose("to<b>pic", hostile, new_txt=f"{hostile}\n")
    pipeline.open(
        "to<b>pic", title=hostile, body=f"{hostile} [here](javascript:alert(1)) ![](http://a.example/x.png)"
    )
    pipeline.send("POST", "/repos/sandbox/gitops/issues/1/comments", {"body": hostile})
    page = read(github)
    for part in ("<script", "<img", "<b>", 'href="javascript'):
        assert part not in page
    assert html.unescape(page).count(hostile) == 6, "title twice, text, comment, commit, diff"
