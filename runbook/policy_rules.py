"""What an ACL policy of Vault grants, read from its text, and where it grants less than another.

Others write theirs in HCL or JSON, by older and newer ways, and in more rules or fewer than ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

_LONGEST = 100_000
"""Characters of a policy that is weighed; reading that many takes seconds."""

_LEVELS: Mapping[str, tuple[str, ...]] = {
    "": (),
    "deny": ("deny",),
    "read": ("read", "list"),
    "write": ("create", "read", "update", "delete", "list"),
    "sudo": ("create", "read", "update", "delete", "list", "sudo"),
}
"""What Vault takes the old ``policy = "..."`` of a path for, instead of ``capabilities``."""


def filled_rules(rules: str, mount: str, folder: str) -> str:
    """An organisation's own text with the mount, and the folder without a slash at its end."""
    # Of the whole mount, the folder is empty.
    text = rules.replace("{mount}", mount).replace("{path}/", f"{folder}/" if folder else "")
    return text.replace("{path}", folder)


@lru_cache
def outside(rules: str, mount: str, folder: str) -> tuple[str, ...]:
    """The paths of an organisation's own text that grant more than to list names, and not below its folder.

    Args:
        rules, mount, folder: as of `filled_rules`; placeholders of a cluster's names may stand in them.
    """
    granted = (rules and rules_of(filled_rules(rules, mount, folder))) or {}
    return tuple(
        path
        for path, capabilities in granted.items()
        if not (path.startswith(f"{mount}/") and capabilities <= {"list", "deny"})
        # A glob right behind the folder would be its neighbours' too.
        and not (
            path.startswith(f"{mount}/")
            and f"{_below(path, mount)}/".startswith(f"{folder}/" if folder else "")
        )
    )


def fixed_folder(path: str, mount: str) -> str:
    """Where on a mount a rule's path begins, if that is the same for all clusters; empty if it is not."""
    is_fixed = path.startswith(f"{mount}/") and not {"+", "{"} & {*path}
    return _literal(_below(path, mount)) if is_fixed else ""


def _below(path: str, mount: str) -> str:
    """Behind ``data/``, ``metadata/`` and the like."""
    return path.removeprefix(f"{mount}/").partition("/")[2]


def rules_of(text: str) -> dict[str, frozenset[str]] | None:
    """The rules of a policy text in HCL or JSON, by path as Vault takes it: without a leading slash.

    None if it uses more than paths with capabilities, or is neither.
    """
    try:
        parsed = _from_json(text) if text.lstrip().startswith("{") else _from_hcl(text)
        rules: dict[str, frozenset[str]] = {}
        blocks = parsed.pop("path", [])
        # JSON has one object or a list of them for what HCL writes as blocks.
        for path, body in [
            rule for block in (blocks if isinstance(blocks, list) else [blocks]) for rule in block.items()
        ]:
            fields = {key: value for key, value in body.items() if not _says_nothing(key)}
            level, capabilities = fields.pop("policy", ""), fields.pop("capabilities", [])
            if fields or not isinstance(capabilities, list):
                return None
            granted = {str(part).strip('"') for part in capabilities} | {*_LEVELS[level.strip('"')]}
            name = path.strip('"').removeprefix("/")
            rules[name] = rules.get(name, frozenset()) | granted
    except Exception:  # noqa: BLE001 - hcl2 documents no error type; "not to be understood" is an answer here
        return None
    leftover = [key for key in parsed if key != "name" and not _says_nothing(key)]
    return None if leftover else rules


def _from_hcl(text: str) -> dict[str, Any]:
    if len(text) > _LONGEST or "<<" in text:  # hcl2 takes the square of the length of a heredoc
        msg = "too long, or a heredoc"
        raise ValueError(msg)
    # Its parser takes a quarter of a second to make, and few runs read a text that is not their own.
    import hcl2  # noqa: PLC0415

    # A field's name, and the word `path`, may stand in quotes in Vault's HCL 1, which hcl2 does not read.
    parsed: dict[str, Any] = hcl2.loads(
        re.sub(r'"(\w+)"(?=\s*(=|"[^"\n]*"\s*\{))', r"\1", text.rstrip()) + "\n"
    )
    return parsed


def _from_json(text: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):  # Vault counts each, Python the last
            msg = "a key twice"
            raise ValueError(msg)
        return dict(pairs)

    parsed: dict[str, Any] = json.loads(text, object_pairs_hook=once)
    return parsed


def _says_nothing(key: str) -> bool:
    """Whether a field grants and takes nothing: hcl2's own, and OpenBao's ``comment``."""
    return key.startswith("__") or key == "comment"


def lacking(ours: Mapping[str, frozenset[str]], theirs: Mapping[str, frozenset[str]]) -> list[str]:
    """Where ``theirs`` grants less than ``ours``, a sentence each.

    Vault applies one rule to a request, the most specific path that matches, and ``deny`` beats all. So below
    a path of ours the longest glob of theirs that covers it has to grant what ours does, and each rule that
    may be more specific there as well: what it does not repeat it takes away.
    """
    gaps = []
    for path, capabilities in ours.items():
        widest = _covering(path, theirs)
        weighed = {path: theirs[widest] if widest is not None else frozenset[str]()}
        if widest is not None:
            # One of ours below is weighed by itself.
            weighed |= {
                rule: theirs[rule] for rule in _more_specific(path, widest, theirs) if rule not in ours
            }
        for rule, granted in weighed.items():
            missing = sorted(capabilities if "deny" in granted else capabilities - granted)
            if missing:
                gaps.append(f"{rule} lacks {', '.join(missing)}")
    return gaps


_WILD = re.compile(r"\*$|\+|\{\{")
"""Where a path stops being literal: a glob at its end, ``+`` for a segment, a template. Vault takes a ``*``
elsewhere as it stands, and so it does a ``+`` inside a segment: rather one rule too many is weighed."""


def _covering(path: str, theirs: Iterable[str]) -> str | None:
    """The longest of their paths that matches all that ``path`` does; None if none is sure to."""
    covering = [
        rule
        for rule in theirs
        if rule == path or (_literal(rule) == rule[:-1] and path.startswith(rule[:-1]) and rule[-1] == "*")
    ]
    return max(covering, key=len, default=None)


def _more_specific(path: str, widest: str, theirs: Iterable[str]) -> Iterator[str]:
    """Their rules that Vault may apply to something below ``path`` instead of ``widest``, which covers it.

    The later the first wildcard of a path, the more specific it is.
    """
    prefix, bar = _literal(path), len(_literal(widest))
    for rule in theirs:
        literal = _literal(rule)
        meets = prefix.startswith(literal) or (path.endswith("*") and literal.startswith(prefix))
        # What a template stands for is not known. A LIST of a folder also finds the rule without its slash.
        late = len(literal) >= bar or "{{" in rule or rule == prefix.rstrip("/")
        if rule != widest and meets and late:
            yield rule


def _literal(path: str) -> str:
    return _WILD.split(path, maxsplit=1)[0]
