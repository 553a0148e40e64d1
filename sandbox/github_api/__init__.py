"""A stand-in for GitHub: its REST API, its Git remote over HTTP, and a page on which a person merges.

For the sandbox and the tests. It answers what the pipeline and the demo ask, as GitHub would; behind it are
real Git repositories, so that what is merged here is really merged. It listens on the loopback address only,
and remembers nothing when it ends.

    with GitHubApi(folder, {"sandbox/gitops": "path/to/repository"}) as github:
        github.api_url, github.clone_url("sandbox/gitops"), github.token_of("pipeline")
"""

from sandbox.github_api.accounts import User
from sandbox.github_api.limits import RateLimits
from sandbox.github_api.server import GitHubApi
from sandbox.github_api.webhooks import Webhook

__all__ = ["GitHubApi", "RateLimits", "User", "Webhook"]
