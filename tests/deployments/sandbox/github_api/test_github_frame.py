"""What holds for every request to the API: tokens, rate limits, conditional requests."""

from __future__ import annotations

import base64
import stat
import time

import pytest
import requests

from deployments.sandbox.github_api import GitHubApi, RateLimits
from tests.github_checkout import Caller, Checkout

GITOPS = "/repos/sandbox/gitops"


def test_nothing_is_answered_without_a_known_token(github: GitHubApi) -> None:
    without = requests.get(f"{github.api_url}{GITOPS}", timeout=30)
    assert (without.status_code, without.json()["message"]) == (401, "Requires authentication")
    wrong = Caller(github, token="ghp_wrong").send("GET", GITOPS)
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Bad credentials")
    for path in ("/user", "/rate_limit", "/nothing", "/"):
        assert requests.get(f"{github.api_url}{path}", timeout=30).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "token", "Basic"])
def test_each_way_to_send_a_token_is_understood(github: GitHubApi, scheme: str) -> None:
    token = github.token_of("pipeline")
    value = base64.b64encode(f"x:{token}".encode()).decode() if scheme == "Basic" else token
    headers = {"Authorization": f"{scheme} {value}"}
    answer = requests.get(f"{github.api_url}/user", headers=headers, timeout=30)
    assert answer.json()["login"] == "pipeline"


def test_what_one_may_not_see_is_not_found(github: GitHubApi) -> None:
    stranger = Caller(github, "stranger")
    there, nowhere = stranger.send("GET", GITOPS), stranger.send("GET", "/repos/sandbox/nothing")
    assert there.status_code == nowhere.status_code == 404
    assert there.json() == nowhere.json()
    assert there.json()["message"] == "Not Found"
    assert stranger.send("POST", f"{GITOPS}/forks").status_code == 404


def test_an_unknown_path_or_method_is_not_found(pipeline: Caller) -> None:
    for method, path in (("GET", "/nothing"), ("DELETE", GITOPS), ("GET", f"{GITOPS}/pulls/one")):
        answer = pipeline.send(method, path)
        assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")


def test_a_repository_tells_what_its_caller_may_do(github: GitHubApi, pipeline: Caller) -> None:
    assert pipeline.get(GITOPS)["permissions"]["push"] is True
    assert Caller(github, "contributor").get(GITOPS)["permissions"] == {
        "admin": False,
        "maintain": False,
        "push": False,
        "triage": False,
        "pull": True,
    }
    assert pipeline.get("/repos/Sandbox/GitOps")["full_name"] == "sandbox/gitops"


def test_what_is_known_already_is_not_sent_again_and_costs_nothing(
    checkout: Checkout, pipeline: Caller
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    first = pipeline.send("GET", f"{GITOPS}/pulls")
    again = pipeline.send("GET", f"{GITOPS}/pulls", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]
    pipeline.send("PATCH", f"{GITOPS}/pulls/1", {"title": "Changed"})
    changed = pipeline.send("GET", f"{GITOPS}/pulls", **{"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.json()[0]["title"] == "Changed"


def test_the_rate_limit_is_counted_for_each_user(github: GitHubApi, pipeline: Caller) -> None:
    github.rate_limits = RateLimits(requests=2, window_seconds=1000)
    begun = time.time()
    first = pipeline.send("GET", "/user")
    assert first.headers["X-RateLimit-Limit"] == "2"
    assert first.headers["X-RateLimit-Remaining"] == "1"
    pipeline.send("GET", "/user")
    refused = pipeline.send("GET", "/user")
    assert refused.status_code == 403
    assert refused.json()["message"].startswith("API rate limit exceeded")
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert begun + 999 <= int(refused.headers["X-RateLimit-Reset"]) <= time.time() + 1001
    assert Caller(github, "reviewer").send("GET", "/user").status_code == 200


def test_the_rate_limit_ends(github: GitHubApi, pipeline: Caller) -> None:
    github.rate_limits = RateLimits(requests=1, window_seconds=0.3)
    deadline = time.monotonic() + 20
    for expected in (200, 403, 200):
        while pipeline.send("GET", "/user").status_code != expected:
            assert time.monotonic() < deadline, f"no {expected}"


def test_writing_too_fast_hits_the_secondary_limit(
    github: GitHubApi, checkout: Checkout, pipeline: Caller
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    github.rate_limits = RateLimits(writes_per_minute=2, retry_after_seconds=7)
    comments = f"{GITOPS}/issues/1/comments"
    assert pipeline.send("POST", comments, {"body": "One"}).status_code == 201
    refused = pipeline.send("POST", comments, {"body": "Two"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (403, "7")
    assert refused.json()["message"].startswith("You have exceeded a secondary rate limit")
    assert len(pipeline.get(comments)) == 1


def test_tokens_are_kept_in_a_private_file_and_out_of_the_log(github: GitHubApi, checkout: Checkout) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    tokens = github.state_dir / "tokens.json"
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    log = (github.state_dir / "requests.log").read_text()
    assert "pipeline POST /sandbox/gitops.git/git-receive-pack 200" in log
    assert github.token_of("pipeline") in tokens.read_text()
    assert github.token_of("pipeline") not in log
    others = [path for path in github.state_dir.rglob("*") if path.is_file() and path != tokens]
    assert not [path for path in others if github.token_of("pipeline").encode() in path.read_bytes()]
