"""docs/diagnosis.md has every cause with the line and the remedy that the code gives."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

from runbook.cluster_rights import cluster_rights
from runbook.conventions import RUNBOOK
from runbook.diagnosis.cause import Cause, Kind
from runbook.diagnosis.causes import Causes
from runbook.request import EnableRequest
from runbook.rights import vault_rights

DOCS = Path(__file__).parents[3] / "docs" / "diagnosis.md"


LISTS = (
    "there", "unlisted", "allowed", "fields", "token_audiences", "bound", "names", "audiences", "wanted",
    "instead", "policies",
)  # fmt: skip
SHOWN: dict[str, object] = {
    "operator": RUNBOOK.operator,
    **{name: f"{name.upper()}, …" for name in LISTS},
    "differences": "DIFFERENCES; …",
    "not_known": "; not known: NOT_KNOWN; …",
    "event": " (Event: EVENT)",
    "ended": "2026-01-01 12:00:00",
    "vault_clock": "2026-01-01 12:00:00",
    "seconds": "10",
}
"""Fields that are more than a name."""


def fields_of(kind: Kind) -> set[str]:
    """The names in the braces of its entry."""
    texts = (kind.value.subject, kind.value.answer, kind.value.remedy)
    return {name.partition(".")[0] for text in texts for _, name, _, _ in Formatter().parse(text) if name}


def example(kind: Kind) -> Cause:
    """The cause with the names of its fields in the place of their values."""
    return kind.of(**{name: SHOWN.get(name, name.upper()) for name in fields_of(kind)})


def row(kind: Kind) -> str:
    cause = example(kind)
    warning = " (a warning, which fails no diagnosis)" if kind.value.blocks in {"secret", "nothing"} else ""
    return f"| {cause.line}{warning} | {cause.remedy} |"


def test_the_docs_have_each_cause_in_order_and_no_other() -> None:
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    assert lines[1:] == [row(kind) for kind in Causes]


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


GIVEN = "give these:\n"
WANTED = EnableRequest(cluster="ember", env="emea", namespaces=("payments",), cluster_connection="ember")


def test_the_docs_name_rights_in_vault_as_the_printed_policy_gives_them() -> None:
    rights = vault_rights(WANTED)
    given = documented(GIVEN, "Vault")
    assert given == {
        ("read", "sys/auth"),
        ("read", "sys/mounts"),
        ("read", "auth/ember-k8s/config"),
        ("read", "auth/ember-k8s/role/emea-ops"),
        ("read", "sys/policies/acl/emea-kv-r"),
        ("list", "auth/ember-k8s/role"),
    }
    assert {right for right in given if right[0] in rights.get(right[1], ())} == given


def test_the_docs_name_rights_on_the_cluster_as_the_printed_account_gives_them() -> None:
    printed = {
        (right.verb, "/".join(filter(None, (right.resource, right.subresource))))
        for mode in ("secret", "token-request")
        for wanted in [WANTED.model_copy(update={"reviewer_token": mode})]
        for right in cluster_rights(wanted)
    }
    # Preflight looks at these; the diagnosis does not.
    of_preflight = {("get", "infrastructures"), ("get", "ingresses")}
    assert documented(GIVEN, "The cluster") == printed - of_preflight


def test_no_two_causes_have_the_same_entry() -> None:
    # The second would be another name of the first.
    assert [*Causes.__members__] == [kind.name for kind in Causes]


def test_a_line_is_one_line() -> None:
    for kind in Causes:
        assert "\n" not in example(kind).line + example(kind).remedy
        assert not example(kind).answer.endswith(".")
        assert example(kind).remedy.endswith(".")
