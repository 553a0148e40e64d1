"""What preflight says of namespaces that only Git or only the role in Vault has."""

from __future__ import annotations

from tasks.preflight.bound_namespaces import NAMESPACES
from tasks.preflight.vault import ask_vault
from tests.tables import table
from tests.tasks.conftest import request as make
from tests.tasks.preflight.installation import Installation


@table(
    "bound, in_git, status, words",
    {
        "the same": ("payments,web,shop", {"shop", "payments", "web"}, "ok", "payments, shop, web"),
        "those of the run get into both": ("shop", {"shop"}, "ok", "shop"),
        "Git has one more": (
            "payments,web",
            {"payments", "web", "shop"},
            "warning",
            "only Git has shop, which the role does not bind",
        ),
        "the role has one more": (
            "payments,web,old",
            {"payments", "web"},
            "warning",
            "only the role has old, which may still log in",
        ),
        "each has one": (
            "old,sh*",
            {"new", "shop"},
            "warning",
            "only Git has new, which the role does not bind;",
        ),
        "no role": (None, {"shop"}, "ok", "there is no role yet"),
        "no overlay": ("payments", None, "not checked", "the overlay of the cluster was not built"),
    },
)
def test_namespaces_that_only_git_or_only_the_role_has_are_a_warning(
    installation: Installation, bound: str | None, in_git: set[str] | None, status: str, words: str
) -> None:
    vault = installation.vault
    vault.request("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    if bound:
        role = {"bound_service_account_names": "a", "bound_service_account_namespaces": bound}
        vault.request("POST", "auth/ember-k8s/role/emea-ops", role)
    connection = installation.connections().vault
    answers, _ = ask_vault(connection, make(), None, None if in_git is None else frozenset(in_git))
    (found,) = (one for one in answers.rows if one.prerequisite == NAMESPACES)
    assert (found.status, found.found[: len(words)]) == (status, words)
    assert bool(found.remedy) is (status == "warning")
    assert ("enable-namespace for each, with cluster=ember and env=emea" in found.remedy) is (
        "Git has" in words
    )
