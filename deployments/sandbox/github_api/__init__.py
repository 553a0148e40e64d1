"""A stand-in for GitHub: its REST API, its Git remote over HTTP, and a page on which a person merges.

For the sandbox and the tests. What a client gets is what GitHub would answer to the same request, as far
as the pipeline uses it; behind it are real Git repositories, so that what is merged here is really merged.
It listens on the loopback address only.

    with GitHubApi(folder, repositories={"sandbox/gitops": "path/to/repository"}) as github:
        github.api_url, github.clone_url("sandbox/gitops"), github.token_of("pipeline")
"""

from deployments.sandbox.github_api.accounts import DEFAULT_USERS, User
from deployments.sandbox.github_api.limits import RateLimits
from deployments.sandbox.github_api.server import GitHubApi
from deployments.sandbox.github_api.webhooks import Webhook

__all__ = ["DEFAULT_USERS", "GitHubApi", "RateLimits", "User", "Webhook"]
