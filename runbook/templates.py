"""Templates of names, and how an organisation's description is made of them."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

ENV, CLUSTER = "{env}", "{cluster}"

_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
_LOWER = "lower-case letters, digits, hyphens, underscores and dots"


class Described(BaseModel):
    """A part of what an organisation describes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """What differs from the runbook: in messages, the rest would hide it."""
        fields = type(self).model_fields
        return [
            (name, value)
            for name, value in super().__repr_args__()
            if name not in fields or value != fields[name].get_default(call_default_factory=True)
        ]


def placeholders(template: str | None) -> frozenset[str]:
    """``{env}`` and ``{cluster}``, as far as they are in it."""
    return frozenset(one for one in (ENV, CLUSTER) if one in (template or ""))


def unknown_placeholders(value: str, allowed: tuple[str, ...]) -> list[str]:
    """What stands in braces and is no placeholder here."""
    return sorted({f"{{{name}}}" for name in _PLACEHOLDER.findall(value)}.difference(allowed))


def filled(template: str, env: str, cluster: str) -> str:
    """The template with its names."""
    return template.replace(ENV, env).replace(CLUSTER, cluster)


SECRETS_MOUNTS = ("sys", "auth", "identity", "cubbyhole", "audit")
"""Where Vault has its own, and no mount of secrets can be."""

AUTH_MOUNTS = ("token", "auth", "sys")
"""The same of auth methods: paths are said without ``auth/``."""


def pattern_of(template: str) -> re.Pattern[str]:
    """What the names are like that a template gives, with groups ``env`` and ``cluster``."""
    pattern = re.escape(template)
    for name, characters in (("env", "[0-9a-z-]+"), ("cluster", "[0-9a-z.-]+")):
        first, *rest = pattern.split(re.escape(f"{{{name}}}"))
        if rest:
            pattern = f"{first}(?P<{name}>{characters}){f'(?P={name})'.join(rest)}"
    return re.compile(pattern, re.IGNORECASE)


def check_template(value: str, allowed: tuple[str, ...] = (ENV, CLUSTER)) -> str:
    """A template of one name, or of a path.

    Raises:
        ValueError: it has other placeholders, or could not be a path in Vault: there ``*`` and ``+`` are
            wildcards in policies.
    """
    if unknown := unknown_placeholders(value, allowed):
        msg = f"{value!r} has {', '.join(unknown)}; allowed here: {', '.join(allowed) or 'no placeholder'}"
        raise ValueError(msg)
    example = filled(value, "e", "c")
    if not example or not all(map(_PART.fullmatch, example.split("/"))):
        msg = (
            f"{value!r} must be a name, or names separated by a slash: letters, digits and inner hyphens, "
            "underscores and dots, no slash at either end, and nothing that is a wildcard in a policy"
        )
        raise ValueError(msg)
    return value


def check_mount(value: str, allowed: tuple[str, ...], taken: tuple[str, ...]) -> str:
    """The path of a mount, or a template of it, that is not below one of Vault's own.

    Raises:
        ValueError: it is, or is no path.
    """
    check_template(value, allowed)
    first, *_ = value.split("/")
    if first in taken:
        msg = f"{value!r} begins with {first}/, which is Vault's own: name the mount as Vault lists it"
        raise ValueError(msg)
    return value


def check_lower_case(value: str) -> str:
    """A template of one name that Vault keeps as it is.

    Raises:
        ValueError: it is none.
    """
    check_template(value)
    if "/" in value or value != value.lower():
        msg = f"{value!r} must be one name of {_LOWER}: Vault lower-cases it"
        raise ValueError(msg)
    return value


_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def check_label(value: str) -> str:
    """Return an RFC 1123 label.

    Raises:
        ValueError: it is none.
    """
    if not _LABEL.fullmatch(value):
        msg = f"{value!r} must be lower-case letters, digits and inner hyphens, at most 63 characters"
        raise ValueError(msg)
    return value


Label = Annotated[str, AfterValidator(check_label)]
LowerCase = Annotated[str, AfterValidator(check_lower_case)]
PathTemplate = Annotated[str, AfterValidator(partial(check_template, allowed=(ENV, CLUSTER)))]
"""Fields of a description that are checked so."""
