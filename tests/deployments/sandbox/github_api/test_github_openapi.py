"""The stand-in's answers against the description that GitHub publishes of its own."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from deployments.sandbox.github_api import GitHubApi, RateLimits, Webhook
from tests.deployments.sandbox.github_api.openapi import Description, download
from tests.deployments.sandbox.github_api.receiver import Receiver
from tests.github_checkout import Caller, Checkout

pytestmark = pytest.mark.download

REPOSITORY = "/repos/{owner}/{repo}"
PULL = f"{REPOSITORY}/pulls/{{pull_number}}"
ISSUE = f"{REPOSITORY}/issues/{{issue_number}}"


@pytest.fixture(scope="session")
def description(tmp_path_factory: pytest.TempPathFactory) -> Description:
    return Description.read(download(tmp_path_factory.mktemp("openapi")))


class Checker:
    """Sends requests, and compares each answer with the description."""

    def __init__(self, caller: Caller, description: Description) -> None:
        self._caller = caller
        self._description = description
        self.problems: list[str] = []
        self.checked: set[tuple[str, str, int]] = set()

    def send(self, method: str, template: str, status: int, body: Any = None, **parameters: str) -> Any:
        """Ask with the template's parameters filled in; those that it does not name become the query."""
        known = {"owner": "sandbox", "repo": "gitops", "pull_number": "1", "issue_number": "1", **parameters}
        query = {name: value for name, value in parameters.items() if f"{{{name}}}" not in template}
        path = template.format(**known) + "?" + "&".join(f"{name}={value}" for name, value in query.items())
        answer = self._caller.send(method, path, body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        decoded = answer.json()
        self.checked.add((method, template, status))
        self.problems += [
            f"{method} {template} {status}: {problem}"
            for problem in self._description.problems(method, template, status, decoded)
        ]
        return decoded


def test_every_answer_fits_githubs_description(
    github: GitHubApi, checkout: Checkout, pipeline: Caller, description: Description
) -> None:
    checker = Checker(pipeline, description)
    send = checker.send
    checkout.propose("topic", "One", one_txt="1\n", list_yaml="resources: []\n")
    checkout.propose("other", "Two", two_txt="2\n")
    checkout.propose("third", "Three", three_txt="3\n")

    send("GET", "/user", 200)
    send("GET", "/users/{username}", 200, username="reviewer")
    send("GET", "/users/{username}", 404, username="nobody")
    send("GET", "/rate_limit", 200)
    send("GET", REPOSITORY, 200)
    send("GET", REPOSITORY, 404, repo="nothing")
    send("POST", f"{REPOSITORY}/forks", 202, {"organization": "forks"})
    send("GET", REPOSITORY, 200, owner="forks")
    send("GET", f"{REPOSITORY}/forks", 200)

    send("POST", f"{REPOSITORY}/pulls", 201, {"title": "T", "head": "topic", "base": "main", "body": "B"})
    send("POST", f"{REPOSITORY}/pulls", 422, {"title": "T", "head": "topic", "base": "main"})
    send("POST", f"{REPOSITORY}/pulls", 422, {"title": "T", "head": "nothing", "base": "main"})
    send("GET", PULL, 200)
    send("GET", PULL, 404, pull_number="99")
    send("PATCH", PULL, 200, {"title": "Better"})
    send("PATCH", PULL, 422, {"state": "merged"})
    send("GET", f"{PULL}/files", 200)
    send("GET", f"{PULL}/commits", 200)
    send("POST", f"{ISSUE}/comments", 201, {"body": "Comment"})
    send("GET", f"{ISSUE}/comments", 200)
    send("PUT", f"{PULL}/merge", 409, {"sha": "0" * 40})
    send("PUT", f"{PULL}/merge", 200, {"merge_method": "squash"})
    send("PUT", f"{PULL}/merge", 405, {})
    send("GET", PULL, 200)
    send("GET", ISSUE, 200)
    pipeline.open("other", body=None)
    send("PATCH", PULL, 200, {"state": "closed"}, pull_number="2")
    send("GET", ISSUE, 200, issue_number="2")
    pipeline.open("third")
    send("GET", f"{REPOSITORY}/pulls", 200, state="all", per_page="2")

    send("GET", f"{REPOSITORY}/branches", 200)
    send("GET", f"{REPOSITORY}/branches/{{branch}}", 200, branch="main")
    send("GET", f"{REPOSITORY}/branches/{{branch}}", 404, branch="nothing")
    send("GET", f"{REPOSITORY}/git/ref/{{ref}}", 200, ref="heads/main")
    send("GET", f"{REPOSITORY}/commits", 200)
    send("GET", f"{REPOSITORY}/commits/{{ref}}", 200, ref="main")
    send("GET", f"{REPOSITORY}/commits/{{ref}}", 422, ref="nothing")
    send("GET", f"{REPOSITORY}/compare/{{basehead}}", 200, basehead="main...third")
    send("GET", f"{REPOSITORY}/contents/{{path}}", 200, path="list.yaml")
    send("GET", f"{REPOSITORY}/contents/{{path}}", 200, path="overlays")
    send("GET", f"{REPOSITORY}/contents/{{path}}", 404, path="nothing")

    reader = Checker(Caller(github, "read-only"), description)
    reader.send("POST", f"{REPOSITORY}/forks", 403, {})
    reader.send("POST", f"{REPOSITORY}/pulls", 403, {"title": "T", "head": "third", "base": "main"})
    reader.send("PUT", f"{PULL}/merge", 403, {}, pull_number="3")
    nobody = Checker(Caller(github, token="ghp_wrong"), description)
    nobody.send("GET", "/user", 401)
    github.rate_limits = RateLimits(requests=0)
    checker.send("GET", "/user", 403)

    problems = checker.problems + reader.problems + nobody.problems
    assert not problems, "\n".join(problems)
    assert len(checker.checked | reader.checked | nobody.checked) == 38


def test_webhook_payloads_fit_githubs_description(
    github: GitHubApi, checkout: Checkout, pipeline: Caller, description: Description, receiver: Receiver
) -> None:
    github.webhooks.append(Webhook(receiver.url, "secret"))
    pull = "/repos/sandbox/gitops/pulls/1"
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    pipeline.send("PATCH", pull, {"title": "Better"})
    checkout.commit("Two", two_txt="2\n")
    checkout.git("push", "--quiet", "origin", "topic")
    pipeline.send("PATCH", pull, {"state": "closed"})
    pipeline.send("PATCH", pull, {"state": "open"})
    pipeline.merge(1)
    checkout.git("push", "--quiet", "origin", ":topic")
    told = receiver.wait_for(10)
    names = [event if event == "push" else f"pull-request-{payload['action']}" for event, payload in told]
    assert set(names) == {
        "push",
        *(f"pull-request-{action}" for action in ("opened", "edited", "synchronize", "closed", "reopened")),
    }
    problems = [
        f"{name}: {problem}"
        for name, (_, payload) in zip(names, told, strict=True)
        for problem in description.webhook_problems(name, payload)
    ]
    assert not problems, "\n".join(problems)


def test_the_comparison_notices_what_is_missing_wrong_or_no_address(
    pipeline: Caller, description: Description
) -> None:
    right = pipeline.get("/repos/sandbox/gitops")
    assert description.problems("GET", REPOSITORY, 200, right) == []
    faults = (("id", "1"), ("html_url", "no address"), ("created_at", "yesterday"), ("owner", None))
    for field, value in faults:
        wrong = copy.deepcopy(right) | {field: value}
        assert description.problems("GET", REPOSITORY, 200, wrong), field
    del right["default_branch"]
    (problem,) = description.problems("GET", REPOSITORY, 200, right)
    assert "default_branch" in problem
