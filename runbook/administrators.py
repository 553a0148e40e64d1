"""The people who write secrets, as an organisation's identity provider calls them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from runbook.templates import (
    AUTH_MOUNTS,
    CLUSTER,
    ENV,
    Described,
    LowerCase,
    check_label,
    check_mount,
    pattern_of,
    unknown_placeholders,
)

_NOT_IN_A_PIN = ("*", "${", "%{")
"""A pinned value of a policy with ``*`` stands for any other, and HCL fills the others in."""


class Administrators(Described):
    """The people who write an environment's secrets, as the identity provider knows them."""

    mount: Annotated[str, AfterValidator(partial(check_mount, allowed=(), taken=AUTH_MOUNTS))] = Field(
        default="oidc", description="The auth mount through which people log in."
    )
    group: LowerCase = Field(
        default="vault-admins-{env}", description="Their external identity group in Vault."
    )
    alias: str | None = Field(
        default=None, description="What the identity provider calls the group; by default as `group`."
    )
    aliases: Mapping[str, str] = Field(
        default_factory=dict,
        description="The same for single environments, where it calls them by ids (Entra ID): {env: id}.",
    )

    @field_validator("alias")
    @classmethod
    def _is_an_alias(cls, value: str | None) -> str | None:
        return value if value is None else _alias(value, (ENV, CLUSTER))

    @field_validator("aliases")
    @classmethod
    def _are_aliases(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for env in value:
            check_label(env)
        names = [_alias(name, ()).lower() for name in value.values()]
        if len(set(names)) < len(names):
            msg = "give two environments one alias: an alias belongs to one group"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _is_nobody_elses(self) -> Self:
        """No environment is given what another one's group is called by the template."""
        derived = pattern_of(self.alias or self.group)
        for env, name in self.aliases.items():
            other = (found.groupdict().get("env") if (found := derived.fullmatch(name)) else env) or env
            if other != env and other not in self.aliases:
                msg = f"aliases give {env} {name!r}, which is the alias of {other}: name that one, too"
                raise ValueError(msg)
        return self


def _alias(value: str, allowed: tuple[str, ...]) -> str:
    """Any text of the identity provider's, on one line."""
    unknown = unknown_placeholders(value, allowed) + [part for part in _NOT_IN_A_PIN if part in value]
    if unknown or not value.strip() or value != value.strip() or not value.isprintable():
        said = (
            f"has {', '.join(unknown)}, which is not allowed here" if unknown else "must be one line of text"
        )
        msg = f"{value!r} {said}"
        raise ValueError(msg)
    return value
