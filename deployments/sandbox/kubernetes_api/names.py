"""Names, labels and time stamps: what every object's metadata has to look like."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Callable

from deployments.sandbox.kubernetes_api.status import Cause, Object, invalid_value, required

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
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
_LABEL_VALUE_SENTENCE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
    f"regex used for validation is '{_LABEL_VALUE.pattern}')"
)
_LABEL_KEY_SENTENCE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
    f"regex used for validation is '{_QUALIFIED_NAME.pattern}')"
)
# Vowels and look-alikes are left out, so that no words come up.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_RANDOM = random.SystemRandom()

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


def generated(prefix: str) -> str:
    """A name from ``metadata.generateName``."""
    return prefix[:58] + "".join(_RANDOM.choices(_SUFFIX_ALPHABET, k=5))


def metadata_causes(metadata: Object, rule: NameRule) -> list[Cause]:
    """What is wrong with the name, the labels and the annotations of an object."""
    causes = []
    name = metadata.get("name", "")
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    elif problem := rule(name):
        causes.append(invalid_value("metadata.name", name, problem))
    for key, value in (metadata.get("labels") or {}).items():
        if not _is_qualified_name(key):
            causes.append(invalid_value("metadata.labels", key, _LABEL_KEY_SENTENCE))
        if len(value) > 63:
            causes.append(invalid_value("metadata.labels", value, "must be no more than 63 characters"))
        elif not _LABEL_VALUE.fullmatch(value):
            causes.append(invalid_value("metadata.labels", value, _LABEL_VALUE_SENTENCE))
    for index, finalizer in enumerate(metadata.get("finalizers") or ()):
        if "/" not in finalizer:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(invalid_value(f"metadata.finalizers[{index}]", finalizer, detail))
    for key in metadata.get("annotations") or {}:
        if not _is_qualified_name(key):
            causes.append(invalid_value("metadata.annotations", key, _LABEL_KEY_SENTENCE))
    return causes


def _is_qualified_name(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or dns_subdomain(prefix.lower())):
        return False
    return len(name) <= 63 and _QUALIFIED_NAME.fullmatch(name) is not None
