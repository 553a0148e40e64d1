"""docs/diagnosis.md has every cause with the line and the remedy that the code gives."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

from runbook.cluster_rights import cluster_rights, further_cluster_rights
from runbook.diagnosis import CAUSES, Cause
from runbook.request import EnableRequest
from runbook.rights import vault_rights

DOCS = Path(__file__).parents[3] / "docs" / "diagnosis.md"


def example(kind: type[Cause]) -> Cause:
    """The cause with the names of its fields in the place of their values."""
    assert dataclasses.is_dataclass(kind)
    values: dict[Any, Any] = {
        tuple[str, ...]: lambda name: (name.upper(), "…"),
        datetime: lambda name: datetime(2026, 1, 1, 12, tzinfo=UTC),
        float: lambda name: 10.0,
        str: lambda name: name.upper(),
    }
    hints = get_type_hints(kind)
    made = {part.name: values[hints[part.name]](part.name) for part in dataclasses.fields(kind)}
    cause = kind(**made)
    assert isinstance(cause, Cause)
    return cause


def row(kind: type[Cause]) -> str:
    what = (kind.__doc__ or "").partition(". ")[0]
    cause = example(kind)
    return f"| {what} | {cause.line} | {cause.remedy} |"


def test_the_docs_have_each_cause_in_order_and_no_other() -> None:
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    assert lines[1:] == [row(kind) for kind in CAUSES]


def documented(heading: str, system: str) -> set[tuple[str, str]]:
    """Verb and object of each right in the list after a sentence, for emea/ember."""
    _, _, after = DOCS.read_text().partition(heading)
    found = set()
    for bullet in after.strip().partition("\n\n")[0].split("\n- "):
        whose, _, rights = bullet.removeprefix("- ").partition(", ")
        if whose != system:
            continue
        verb = ""
        for word, name in re.findall(r"(read|list|get|create)|`([^`]+)`", rights):
            verb = word or verb
            if name:
                found.add((verb, name.replace("<cluster>", "ember").replace("<env>", "emea")))
    return found


GIVEN, BY_HAND = "give these:\n", "add it by hand:\n"
WANTED = EnableRequest(cluster="ember", env="emea", namespaces=("payments",), cluster_connection="ember")


def test_the_docs_name_rights_in_vault_as_the_printed_policy_gives_them() -> None:
    rights = vault_rights(WANTED)
    given, by_hand = documented(GIVEN, "Vault"), documented(BY_HAND, "Vault")
    assert given | by_hand == {
        ("read", "sys/auth"),
        ("read", "sys/mounts"),
        ("read", "auth/ember-k8s/config"),
        ("read", "auth/ember-k8s/role/emea-ops"),
        ("read", "sys/policies/acl/emea-kv-r"),
        ("list", "auth/ember-k8s/role"),
    }
    assert {right for right in given | by_hand if right[0] in rights.get(right[1], ())} == given


def test_the_docs_name_rights_on_the_cluster_as_the_printed_account_gives_them() -> None:
    printed = {
        (right.verb, "/".join(filter(None, (right.resource, right.subresource))))
        for mode in ("secret", "token-request")
        for wanted in [WANTED.model_copy(update={"reviewer_token": mode})]
        for right in (*cluster_rights(wanted), *further_cluster_rights(wanted))
    }
    # Preflight looks at these; the diagnosis does not.
    of_preflight = {("get", "infrastructures"), ("get", "ingresses")}
    assert documented(GIVEN, "The cluster") == printed - of_preflight


def test_every_cause_is_in_the_closed_set() -> None:
    def leaves(kind: type[Cause]) -> set[type[Cause]]:
        # A dataclass with slots is made twice; only the one that its module holds counts.
        import sys

        below = {
            sub
            for sub in kind.__subclasses__()
            if getattr(sys.modules[sub.__module__], sub.__name__, None) is sub
        }
        return set().union(*map(leaves, below)) if below else {kind}

    assert leaves(Cause) == set(CAUSES)


def test_a_line_is_one_line() -> None:
    for kind in CAUSES:
        assert "\n" not in example(kind).line + example(kind).remedy
        assert not example(kind).answer.endswith(".")
        assert example(kind).remedy.endswith(".")
