"""Where the GitOps repository is, how it is laid out, and as whom we propose a change."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import ClassVar, Self

from prefect.blocks.core import Block
from prefect.runtime import flow_run
from pydantic import Field, SecretStr, model_validator

from connections.fields import HIDDEN, checked_by
from runbook.addresses import check_address, check_header, check_person
from runbook.gitops import interesting_folders
from runbook.hosts import is_other_repository
from runbook.layout import Layout
from systems.github import GitHub
from systems.gitops import GitOpsClone
from systems.trust import certificates


class GitOpsRepository(Block):
    """A repository on GitHub that ArgoCD deploys from."""

    _block_type_name: ClassVar[str] = "GitOps Repository"
    _block_type_slug: ClassVar[str] = "gitops-repository"
    model_config = HIDDEN

    url: str = Field(
        description="Clone URL over HTTPS, without credentials.",
        examples=["https://github.com/operate-first/apps.git"],
    )
    repository: str = Field(description="<owner>/<name> on GitHub.", pattern=r"^[\w.-]+/[\w.-]+$")
    base_branch: str = Field(default="master", description="The branch that ArgoCD deploys.")
    api_url: str = Field(
        default="https://api.github.com", description="GitHub's API; of GitHub Enterprise: .../api/v3."
    )
    token: SecretStr = Field(
        description="Fine-grained token: contents and pull requests, read and write, on the repository."
    )
    fork: str | None = Field(
        default=None,
        description="Owner of the fork to propose from, if the token may not push to the repository.",
    )
    ca_cert: str | None = Field(default=None, description="CA of the GitHub Enterprise server, PEM.")
    author_name: str = Field(default="Vault enablement", description="Author of the commits.")
    author_email: str = Field(
        default="vault-enablement@users.noreply.github.com", description="E-mail address of the author."
    )
    layout: Layout = Field(default_factory=Layout, description="Where things are in the repository.")

    _addresses = checked_by(partial(check_address, http="loopback"), "url", "api_url")
    _certificates = checked_by(certificates, "ca_cert")
    _token = checked_by(check_header, "token")
    _author = checked_by(check_person, "author_name", "author_email")

    @model_validator(mode="after")
    def _is_one_repository(self) -> Self:
        if is_other_repository(self.url, self.repository, self.api_url):
            msg = f"`url` and `repository`, {self.repository}, are not the same repository"
            raise ValueError(msg)
        return self

    @property
    def owner(self) -> str:
        """Who owns the repository."""
        return self.repository.split("/")[0]

    def clone(self) -> AbstractContextManager[GitOpsClone]:
        """A shallow clone of the base branch's head."""
        return GitOpsClone.open(
            self.url,
            self.base_branch,
            self.token,
            ca_pem=self.ca_cert,
            interesting=interesting_folders(self.layout),
        )

    def github(self) -> GitHub:
        """A client of GitHub's API for this repository."""
        return GitHub(self.repository, self.token, api_url=self.api_url, ca_pem=self.ca_cert, run=flow_run.id)
