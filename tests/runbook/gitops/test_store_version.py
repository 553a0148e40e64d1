"""Which API version a new SecretStore gets."""

from __future__ import annotations

import pytest
import yaml

from runbook.errors import InvalidInput
from runbook.gitops import FileTree, StoreSettings
from runbook.gitops.secret_management import store_api_version
from runbook.layout import Layout
from tests.runbook.gitops.conftest import Changed, EditsOf, Request
from tests.runbook.gitops.edited import OVERLAY, STORE


def _store(version: str, kind: str = "SecretStore") -> str:
    return f"apiVersion: external-secrets.io/{version}\nkind: {kind}\nmetadata:\n  name: opf-vault-store\n"


class TestVersionOfTheSecretStore:
    """The request, else what the cluster serves, else what the repository has, else v1."""

    @pytest.mark.parametrize(
        ("served", "requested", "expected"),
        [
            (("v1",), "auto", "v1"),
            (("v1beta1",), "auto", "v1beta1"),
            (("v1beta1", "v1"), "auto", "v1"),
            (("v1beta1", "v1"), "v1beta1", "v1beta1"),
            ((), "v1", "v1"),
            ((), "auto", "v1beta1"),
        ],
    )
    def test_is_what_the_cluster_serves_whatever_the_others_have(
        self, changed: Changed, edits_of: EditsOf, served: tuple[str, ...], requested: str, expected: str
    ) -> None:
        overlays = "cluster-scope/overlays/prod"
        paths = [
            f"{overlays}/{name}/secret-mgmt/base/opf-vault-store.yaml" for name in ("emea/flint", "moc/smaug")
        ]
        tree = changed(dict.fromkeys(paths, _store("v1beta1")))
        store = StoreSettings("https://vault", None, served)

        edits = edits_of(tree, store=store, secret_store_api=requested)
        written = yaml.safe_load(edits[STORE].after)
        assert written["apiVersion"] == f"external-secrets.io/{expected}"

    @pytest.mark.parametrize("base", ["", _store("v1")], ids=["a new base", "a base that is there"])
    def test_that_is_requested_and_not_served_is_refused(
        self, changed: Changed, base: str, edits_of: EditsOf
    ) -> None:
        tree = changed(
            {f"{OVERLAY}/secret-mgmt/base/kustomization.yaml": "resources: [a.yaml]\n"} if base else {}
        )
        store = StoreSettings("https://vault", None, ("v1",))

        with pytest.raises(
            InvalidInput, match="secret_store_api=v1beta1: the cluster serves SecretStores as v1"
        ):
            edits_of(tree, store=store, secret_store_api="v1beta1")

    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({}, "v1"),
            ({"anywhere/at/all/store.yml": _store("v1beta1")}, "v1beta1"),
            ({"stores.yaml": _store("v1beta1", "ClusterSecretStore")}, "v1beta1"),
            ({"a.yaml": _store("v1beta1"), "b.yaml": f"{_store('v1')}---\n{_store('v1')}"}, "v1"),
            ({"a.yaml": _store("v1alpha1"), "b.yaml": "a: ["}, "v1"),
            (
                {
                    f"{OVERLAY}/kustomization.yaml": "resources: [s.yaml]\n",
                    f"{OVERLAY}/s.yaml": _store("v1beta1"),
                    "a.yaml": _store("v1"),
                    "b.yaml": _store("v1"),
                },
                "v1beta1",
            ),
        ],
    )
    def test_is_what_most_have_while_the_cluster_serves_none(
        self, request_for: Request, layout: Layout, files: dict[str, str], expected: str
    ) -> None:
        store = StoreSettings("https://vault", None, ())

        assert store_api_version(FileTree(files), request_for().target, layout, store) == expected
