"""Who may do what. Everything is denied unless a known token belongs to somebody who may."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from deployments.sandbox.certificates import write_private

Permission = Literal["none", "read", "write", "admin"]

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
    "reviewer": User(permissions={"*": "admin"}),
    "read-only": User(permissions={"*": "read"}, read_only_token=True),
}
"""The pipeline proposes, the reviewer merges, and one user may only look."""


class Accounts:
    """The users, and the tokens that were made for them."""

    def __init__(self, users: Mapping[str, User], tokens: Mapping[str, str]) -> None:
        self.users = dict(users)
        self._tokens = dict(tokens)
        self.organizations = sorted({name for user in users.values() for name in user.organizations})

    @classmethod
    def at(cls, path: Path, users: Mapping[str, User]) -> Accounts:
        """Users with the tokens in the file at ``path`` (0600); missing tokens are made and written."""
        tokens: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        for login in users:
            # The prefix is GitHub's for personal access tokens: scanners for secrets know it.
            tokens.setdefault(login, f"ghp_{secrets.token_hex(18)}")
        write_private(path, json.dumps(tokens, indent=2) + "\n")
        return cls(users, tokens)

    def token_of(self, login: str) -> str:
        """The token of a user."""
        return self._tokens[login]

    def login_of(self, token: str) -> str | None:
        """Whom a token belongs to, None for an unknown one."""
        found = None
        for login, known in self._tokens.items():
            if login in self.users and hmac.compare_digest(known.encode(), token.encode()):
                found = login
        return found

    def permission(self, login: str, owner: str, name: str) -> Permission:
        """What a user may do with a repository; of one's own, everything."""
        if login.lower() == owner.lower():
            return "admin"
        user = self.users[login]
        named = {repository.lower(): given for repository, given in user.permissions.items()}
        given = named.get(f"{owner}/{name}".lower())
        if given is not None:
            return given
        if owner.lower() in {organization.lower() for organization in user.organizations}:
            return "admin"
        return named.get("*", "none")

    def may_write_with_token(self, login: str) -> bool:
        """Whether the user's token may change anything at all."""
        return not self.users[login].read_only_token
