"""Vault policies as HCL text, with a comment on each rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from runbook.objects.vault_object import VaultRule

_TEMPLATE = re.compile(r"[$%]\{")


def policy_text(rules: Iterable[VaultRule], head: str) -> str:
    """A policy: the lines of ``head`` as a comment, then a block for each rule, in order.

    Raises:
        ValueError: a value cannot be written in HCL.
    """
    comment = "".join(f"# {line}".rstrip() + "\n" for line in head.splitlines())
    return "\n".join([comment, *map(_block, rules)])


def _block(rule: VaultRule) -> str:
    lines = [f"# {rule.why}", f"path {_value(rule.path)} {{"]
    lines.append(f"  capabilities = {_value(list(rule.capabilities))}")
    if rule.required:
        lines.append(f"  required_parameters = {_value(list(rule.required))}")
    if rule.allowed:
        lines.append("  allowed_parameters = {")
        lines += [f"    {_value(name)} = {_value(list(values))}" for name, values in rule.allowed.items()]
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def _value(value: Any) -> str:
    """A text, a bool or a list. Vault's HCL escapes in texts what JSON does."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str) or _TEMPLATE.search(value):
        # HCL reads ${...} as a template, whatever is escaped.
        msg = f"{value!r} cannot stand in a policy"
        raise ValueError(msg)
    return json.dumps(value, ensure_ascii=False)
