"""What the stand-in answers, against the description that GitHub publishes of its own."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.github_api import GitHubApi, RateLimits
from tests.github_checkout import Caller, Checkout
from tests.sandbox.github_api.openapi import Description

pytestmark = pytest.mark.download

REPOSITORY = "/repos/{owner}/{repo}"
PULL = f"{REPOSITORY}/pulls/{{pull_number}}"
ISSUE = f"{REPOSITORY}/issues/{{issue_number}}"


@pytest.fixture(scope="session")
def description(tmp_path_factory: pytest.TempPathFactory) -> Description:
    return Description(tmp_path_factory.mktemp("openapi"))


def test_every_field_of_an_answer_is_one_of_githubs_and_of_its_type(
    github: GitHubApi, checkout: Checkout, pipeline: Caller, description: Description
) -> None:
    problems: list[str] = []

    def send(
        method: str, template: str, status: int, body: Any = None, caller: Caller = pipeline, **parts: str
    ) -> None:
        known = {"owner": "sandbox", "repo": "gitops", "pull_number": "1", "issue_number": "1", **parts}
        path, _, query = template.partition("?")
        answer = caller.send(method, path.format(**known) + f"?{query}", body)
        assert answer.status_code == status, f"{method} {template}: {answer.status_code} {answer.text}"
        found = description.problems(method, path, status, answer.json())
        problems.extend(f"{method} {template} {status}: {problem}" for problem in found)

    checkout.propose("topic", "One", one_txt="1\n")
    checkout.propose("other", "Two", two_txt="2\n")
    send("GET", "/user", 200)
    send("GET", "/user", 401, caller=Caller(github, token="ghp_wrong"))
    send("GET", REPOSITORY, 200)
    send("GET", REPOSITORY, 404, repo="nothing")
    send("POST", f"{REPOSITORY}/forks", 202, {"organization": "forks"})
    send("POST", f"{REPOSITORY}/forks", 403, {}, Caller(github, "read-only"))
    send("GET", REPOSITORY, 200, owner="forks")
    send("GET", f"{REPOSITORY}/branches/{{branch}}", 200, branch="main")
    send("GET", f"{REPOSITORY}/branches/{{branch}}", 404, branch="nothing")
    send("GET", f"{REPOSITORY}/git/ref/{{ref}}", 200, ref="heads/main")
    send("GET", f"{REPOSITORY}/commits?sha=main&path=list.yaml", 200)
    github.rules["sandbox/gitops", "main"] = ("pull_request", "required_signatures")
    send("GET", f"{REPOSITORY}/rules/branches/{{branch}}", 200, branch="main")
    github.rules.clear()

    for branch in ("topic", "other"):
        wanted = {"title": "T", "head": branch, "base": "main", "body": "B"}
        send("POST", f"{REPOSITORY}/pulls", 201, wanted)
        send("POST", f"{REPOSITORY}/pulls", 422, wanted)
    send("POST", f"{REPOSITORY}/pulls", 422, wanted | {"head": "nothing"})
    send("POST", f"{REPOSITORY}/pulls", 403, wanted, Caller(github, "read-only"))
    send("GET", PULL, 200)
    send("GET", PULL, 404, pull_number="99")
    send("PATCH", PULL, 200, {"title": "Better"})
    send("POST", f"{ISSUE}/comments", 201, {"body": "Comment"})
    send("GET", f"{ISSUE}/comments", 200)
    send("PUT", f"{PULL}/merge", 403, {}, Caller(github, "read-only"))
    send("PUT", f"{PULL}/merge", 200, {"merge_method": "squash"})
    send("PUT", f"{PULL}/merge", 405, {})
    send("GET", PULL, 200)
    send("PATCH", PULL, 200, {"state": "closed"}, pull_number="2")
    send("GET", ISSUE, 200, issue_number="2")
    send("GET", f"{REPOSITORY}/pulls?state=all", 200)
    github.rate_limits = RateLimits(requests=0)
    send("GET", "/user", 403)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("push", {"ref": "refs/heads/main"}),
        *(
            (f"pull-request-{action}", {"action": action, "number": 1})
            for action in ("opened", "edited", "synchronize", "closed", "reopened")
        ),
    ],
)
def test_the_payloads_of_the_webhooks_are_of_githubs_fields(
    description: Description, name: str, payload: dict[str, Any]
) -> None:
    assert description.webhook_problems(name, payload | {"repository": {"full_name": "a/b"}}) == []
    assert description.webhook_problems(name, payload | {"repository": {"full_name": 1}})


def test_the_comparison_notices_what_is_wrong_or_no_field(pipeline: Caller, description: Description) -> None:
    right = pipeline.get("/repos/sandbox/gitops")
    assert description.problems("GET", REPOSITORY, 200, right) == []
    for wrong in ({"full_name": 1}, {"default_branch": None}, {"permissions": {"push": "yes"}}, {"nam": "x"}):
        assert description.problems("GET", REPOSITORY, 200, right | wrong), wrong
