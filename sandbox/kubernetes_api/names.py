"""Names and time stamps: what every object's metadata has to look like."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

from sandbox.kubernetes_api.status import Cause, Object, invalid_value, required

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_MUST = "must consist of lower case alphanumeric characters"
_ENDS = "and must start and end with an alphanumeric character"
_LABEL_SENTENCE = (
    f"a lowercase RFC 1123 label {_MUST} or '-', {_ENDS} (e.g. 'my-name',  or '123-abc', "
    f"regex used for validation is '{_DNS_LABEL.pattern}')"
)
_SUBDOMAIN_SENTENCE = (
    f"a lowercase RFC 1123 subdomain {_MUST}, '-' or '.', {_ENDS} (e.g. 'example.com', "
    rf"regex used for validation is '{_LABEL}(\.{_LABEL})*')"
)

NameRule = Callable[[str], str]
"""Says what is wrong with a name; empty when nothing is."""


def dns_label(name: str) -> str:
    """The rule for namespaces."""
    if len(name) > 63:
        return "must be no more than 63 characters"
    if _DNS_LABEL.fullmatch(name):
        return ""
    return _LABEL_SENTENCE if dns_subdomain(name) else "must not contain dots"


def dns_subdomain(name: str) -> str:
    """The rule for most kinds."""
    if len(name) > 253:
        return "must be no more than 253 characters"
    return "" if _DNS_SUBDOMAIN.fullmatch(name) else _SUBDOMAIN_SENTENCE


def path_segment(name: str) -> str:
    """The rule for roles and bindings (``system:auth-delegator``), and for OpenShift's groups."""
    if name in (".", ".."):
        return f"may not be '{name}'"
    for character in "/%":
        if character in name:
            return f"may not contain '{character}'"
    return ""


def timestamp(moment: datetime.datetime | None = None) -> str:
    """A time as the API writes it, in whole seconds; by default now."""
    moment = moment or datetime.datetime.now(datetime.UTC)
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata_causes(metadata: Object, rule: NameRule) -> list[Cause]:
    """What is wrong with the name of an object."""
    causes = []
    name = metadata.get("name", "")
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    elif problem := rule(name):
        causes.append(invalid_value("metadata.name", name, problem))
    return causes
