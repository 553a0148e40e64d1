"""Who may do what. Everything is denied unless a known token belongs to somebody who may."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sandbox.github_api.problems import Problem
from sandbox.github_api.state import Repository

Permission = Literal["none", "read", "write", "admin"]

REVIEWER = "reviewer"
"""The user as whom the buttons of the page act."""

_ORDER: tuple[Permission, ...] = ("none", "read", "write", "admin")


def reaches(permission: Permission, needed: Permission) -> bool:
    """Whether one permission includes the other."""
    return _ORDER.index(permission) >= _ORDER.index(needed)


@dataclass(frozen=True)
class User:
    """A user with one token.

    Attributes:
        permissions: by ``owner/name``; ``*`` stands for every repository that is not named.
        organizations: in which the user may make repositories (forks).
        read_only_token: the token may only read, whatever its owner may do, like a fine-grained
            personal access token without write permissions.
    """

    permissions: Mapping[str, Permission] = field(default_factory=dict)
    organizations: tuple[str, ...] = ()
    read_only_token: bool = False


DEFAULT_USERS: Mapping[str, User] = {
    "pipeline": User(permissions={"*": "write"}),
    REVIEWER: User(permissions={"*": "admin"}),
    "read-only": User(permissions={"*": "read"}, read_only_token=True),
}
"""The pipeline proposes, the reviewer merges, and one user may only look."""


class Accounts:
    """The users, each with a token that is made here."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self.users = users
        # The prefix is GitHub's for personal access tokens: scanners for secrets know it.
        self.tokens = {login: f"ghp_{secrets.token_hex(18)}" for login in users}

    def authenticate(self, authorization: str | None) -> str:
        """Whose token an ``Authorization`` header brings: of ``Bearer``, or the password of ``Basic``.

        Raises:
            Problem: 401 without a token, or with one that nobody has.
        """
        if authorization is None:
            raise Problem(401, "Requires authentication")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "basic":
            token = base64.b64decode(token).decode("utf-8", "replace").partition(":")[2]
        for login, known in self.tokens.items():
            if known == token:
                return login
        raise Problem(401, "Bad credentials")

    def permission(self, login: str, repository: Repository) -> Permission:
        """What a user may do with a repository; of one's own, everything."""
        user = self.users[login]
        if repository.owner in (login, *user.organizations):
            return "admin"
        return user.permissions.get(repository.full_name, user.permissions.get("*", "none"))
