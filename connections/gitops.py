"""Where the GitOps repository is, how it is laid out, and as whom we propose a change."""

from __future__ import annotations

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator

from runbook.layout import Layout
from systems.github import GitHub


class GitOpsRepository(Block):
    """A repository on GitHub that ArgoCD deploys from."""

    _block_type_name: ClassVar[str] = "GitOps Repository"
    _block_type_slug: ClassVar[str] = "gitops-repository"

    url: str = Field(
        description="Clone URL over HTTPS, without credentials.",
        examples=["https://github.com/operate-first/apps.git"],
    )
    repository: str = Field(description="<owner>/<name> on GitHub.", pattern=r"^[\w.-]+/[\w.-]+$")
    base_branch: str = Field(default="master", description="The branch that ArgoCD deploys.")
    api_url: str = Field(
        default="https://api.github.com", description="GitHub's API; of a GitHub Enterprise: .../api/v3."
    )
    token: SecretStr = Field(
        description="Fine-grained token with contents and pull requests read and write on the repository."
    )
    fork: str | None = Field(
        default=None,
        description="Owner of the fork to propose from, where we may not push to the repository.",
    )
    ca_cert: str | None = Field(default=None, description="CA of a GitHub Enterprise server, PEM.")
    author_name: str = Field(default="Vault enablement", description="Author of the commits.")
    author_email: str = Field(
        default="vault-enablement@users.noreply.github.com", description="E-mail of that author."
    )
    layout: Layout = Field(default_factory=Layout, description="Where things are in the repository.")

    @field_validator("url")
    @classmethod
    def _has_no_credentials(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            msg = "must start with https://"
            raise ValueError(msg)
        if "@" in value.split("//", 1)[1].split("/", 1)[0]:
            # The value is not repeated: it holds a credential.
            msg = "must not carry credentials; put the token into the field `token`"
            raise ValueError(msg)
        return value

    @property
    def owner(self) -> str:
        """Who owns the repository."""
        return self.repository.split("/")[0]

    def github(self) -> GitHub:
        """A client of GitHub's API for this repository."""
        return GitHub(self.repository, self.token, api_url=self.api_url, ca_pem=self.ca_cert)
