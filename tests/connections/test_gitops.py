"""The connection to the GitOps repository: what is refused when it is saved."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from pydantic import ValidationError

from connections import GitOpsRepository

COM, ENTERPRISE, COMPANY = (
    "https://api.github.com",
    "https://ghe.example.com/api/v3",
    "https://api.example.ghe.com",
)


@pytest.mark.parametrize(
    ("url", "api_url", "is_other"),
    [
        ("https://github.com/org/gitops-old.git", COM, True),
        ("https://github.com/other/gitops", COM, True),
        ("https://github.com/org/gitops/tree/main", COM, True),
        ("https://ghe.example.com/org/gitops-old", ENTERPRISE, True),
        ("https://example.ghe.com/org/gitops-old", COMPANY, True),
        ("https://github.com/org/gitops.git", COM, False),
        ("https://github.com/Org/GitOps/", f"{COM}/", False),
        ("https://ghe.example.com:8443/org/gitops.git", ENTERPRISE, False),
        ("https://example.ghe.com/org/gitops", COMPANY, False),
        ("https://git-cache.example.com/mirrors/gitops.git", COM, False),
    ],
)
def test_an_address_and_a_name_of_two_repositories_are_refused(
    url: str, api_url: str, is_other: bool
) -> None:
    refused = pytest.raises(ValidationError, match="not the same repository") if is_other else nullcontext()
    with refused:
        GitOpsRepository(url=url, repository="org/gitops", api_url=api_url, token="ghp_x")
