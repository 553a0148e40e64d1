"""The auth config, with a real Vault that asks the Kubernetes stand-in for each verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from runbook.errors import (
    CertificateNotTrusted,
    Conflict,
    EnablementError,
    NotYetSynced,
    PermanentError,
    PrerequisiteMissing,
)
from runbook.hosts import ApiServer
from tasks.starter_login import login_fails_by_the_config
from tests.steps import realize_mount
from tests.tables import table
from tests.tasks.conftest import request
from tests.tasks.enabled import CONFIG, OLD, ROLE, WANTED, Place


def written(place: Place, position: int) -> list[str]:
    """The paths that were written since, without logins."""
    return [
        entry["request"]["path"]
        for entry in place.server.audit_entries(position)
        if entry["request"]["operation"] in {"create", "update"} and "login" not in entry["request"]["path"]
    ]


@pytest.mark.parametrize("mode", ["secret", "token-request"])
def test_a_login_works_afterwards_and_a_second_time_nothing_is_written(place: Place, mode: str) -> None:
    wanted = request(reviewer_token=mode)
    assert place.enable(wanted).action == "create"
    assert place.proves("payments", wanted)
    position = place.server.audit_position()
    change, reviewer = place.realize_config(wanted)
    assert (change.action, reviewer) == ("none", None)
    assert CONFIG not in written(place, position)


@table(
    "role, namespace",
    {
        "alone": ({}, "web"),
        "and the role lacks the first namespace": ({"bound_service_account_namespaces": ["web"]}, "payments"),
    },
)
def test_a_reviewer_token_that_no_longer_works_is_replaced(
    place: Place, role: dict[str, Any], namespace: str
) -> None:
    place.enable()
    place.break_reviewer()
    place.admin.write(ROLE, {"token_ttl": 3600, **role})
    assert place.enable().action == "update"
    assert place.proves(namespace)


@pytest.mark.parametrize("field", [{"token_type": "batch"}, {"token_no_default_policy": True}])
def test_a_login_whose_session_cannot_end_itself_speaks_for_the_config(
    place: Place, field: dict[str, Any]
) -> None:
    def fails() -> bool:
        return login_fails_by_the_config(place.pipeline, place.openshift, WANTED, place.api)

    place.enable()
    place.admin.write(ROLE, {**(place.admin.role("ember-k8s", "emea-ops") or {}), **field})
    assert not fails()
    ours = {"kubernetes_host": place.api.host, "kubernetes_ca_cert": place.api.ca_pem}
    place.admin.write(CONFIG, OLD | ours)
    assert fails()


def test_fields_that_others_set_are_foreign_and_kept_only_with_adopt(place: Place) -> None:
    realize_mount(place.admin, request())
    theirs = {"disable_iss_validation": False, "issuer": "https://issuer.example.com"}
    place.admin.write(CONFIG, OLD | theirs)
    with pytest.raises(Conflict, match="has disable_iss_validation, issuer, which no run") as refused:
        place.realize_config(vault=place.admin)
    assert f"adopt=['{CONFIG}']" in refused.value.remedy
    assert place.config()["kubernetes_host"] == OLD["kubernetes_host"]

    change, _ = place.realize_config(request(adopt=[CONFIG]), vault=place.admin)
    assert change.found == "foreign"
    assert change.note == "adopted as they stand: disable_iss_validation, issuer"
    config = place.config()
    assert {field: config[field] for field in theirs} == theirs
    assert config["kubernetes_host"] == place.api.host
    assert config.get("token_reviewer_jwt_set", True) is True


@table(
    "moved, recorded, roles, words",
    {
        "ours": (False, True, ["billing"], None),
        "taken over": (True, False, ["emea-ops"], None),
        "of nobody we know": (False, False, ["emea-ops"], "no record says that we conf"),
        "shared": (False, True, ["emea-ops", "apac-ops"], "has apac-ops, of another"),
        "twin": (True, True, ["apac-ops"], "has apac-ops, of another"),
    },
)
def test_a_mount_that_leads_elsewhere_is_repaired_if_it_is_ours_and_else_stays(
    place: Place, moved: bool, recorded: bool, roles: list[str], words: str | None
) -> None:
    wanted = request(cluster_moved=moved)
    realize_mount(place.pipeline, wanted)
    place.admin.write(CONFIG, OLD)
    for role in roles:
        place.bind(role)
    if words is None:
        change, _ = place.realize_config(wanted, recorded=recorded)
        assert change.found == ("foreign" if moved else "different")
        note = "taken over with cluster_moved: it leads to https://old.example.com:6443"
        assert change.note == (note if moved else "")
    else:
        with pytest.raises(Conflict, match=words) as refused:
            place.realize_config(wanted, recorded=recorded)
        elsewhere = f"points to the API server https://old.example.com:6443, not to {place.api.host}"
        assert elsewhere in str(refused.value)
        assert ("cluster_moved=True" in refused.value.remedy) == (roles == ["emea-ops"])
    assert place.config()["kubernetes_host"] == (OLD["kubernetes_host"] if words else place.api.host)


def test_another_spelling_of_host_and_ca_is_no_difference(place: Place) -> None:
    place.enable()
    host = f"{place.api.host}/".replace("https", "HTTPS")
    change, _ = place.realize_config(api=ApiServer(host, f"# the CA\n{place.api.ca_pem}\n"))
    assert (change.found, change.action) == ("same", "none")


@table(
    "fault",
    {
        "namespace": {"bound_service_account_namespaces": ["billing"]},
        "name": {"bound_service_account_names": ["billing"]},
        "audience": {"audience": "somebody"},
        "addresses": {"token_bound_cidrs": ["192.0.2.0/24"]},
        "no role": None,
    },
)
def test_a_fault_of_the_role_alone_leaves_config_and_jwt_as_they_are(
    place: Place, fault: dict[str, Any] | None
) -> None:
    place.enable()
    if fault is None:
        place.admin.http.send("delete", ROLE)
    else:
        place.admin.write(ROLE, fault)
    position = place.server.audit_position()
    assert place.enable().action == "none"
    assert set(written(place, position)) <= {ROLE, "auth/token/revoke-self"}
    # These two are no run's to change.
    place.admin.write(ROLE, {"audience": "", "token_bound_cidrs": ""})
    assert place.proves("payments")


def test_the_token_is_in_nothing_that_is_returned(place: Place) -> None:
    realize_mount(place.pipeline, request())
    change, reviewer = place.realize_config()
    token = reviewer.token.get_secret_value()
    assert token not in json.dumps(change.as_json()) + repr(change) + repr(reviewer) + str(reviewer.record)


@table(
    "arrange, kind, words",
    {
        "a CA that did not sign the API server": (
            lambda place: setattr(place, "api", ApiServer(place.api.host, place.server.ca_pem)),
            CertificateNotTrusted,
            ["ca_cert_for_vault"],
        ),
        "a reviewer that may not review": (
            lambda place: place.cluster.unbind_reviewer(),
            EnablementError,
            ["tokenreviews", "auth-delegator"],
        ),
        "no token Secret": (
            lambda place: place.cluster.delete_token_secret(),
            (PrerequisiteMissing, NotYetSynced),
            ["eso-vault-auth-token"],
        ),
        "another environment uses the mount": (
            lambda place: place.bind("apac-ops"),
            Conflict,
            ["was never written, and the mount has apac-ops"],
        ),
    },
)
def test_what_is_wrong_is_found_before_the_first_write(
    place: Place,
    arrange: Callable[[Place], None],
    kind: type[PermanentError] | tuple[type[PermanentError], ...],
    words: list[str],
) -> None:
    realize_mount(place.pipeline, request())
    arrange(place)
    with pytest.raises(kind) as refused:
        place.realize_config()
    assert all(part in str(refused.value) for part in words)
    assert place.config() == {}
