"""The file of connections: references are resolved, everything wrong is said at once, no secret leaks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from connections import ClusterConnection, GitOpsRepository, VaultConnection
from deployments.connection_file import ConnectionFileError, NamedConnection, read_connections
from sandbox.certificates import CertificateAuthority
from tests.systems.openshift.scripted_api import kubeconfig

CA = CertificateAuthority("test").pem
KUBECONFIG = kubeconfig("https://127.0.0.1:6443", None, "kube-token")
ENVIRON = {"ENABLEMENT_VAULT_TOKEN": "vault-token", "ENABLEMENT_GITHUB_TOKEN": "github-token"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the files that `complete` refers to."""
    (tmp_path / "smaug.kubeconfig").write_text(yaml.safe_dump(KUBECONFIG))
    (tmp_path / "vault-ca.pem").write_text(CA)
    (tmp_path / "github-token").write_text("github-token\n")
    return tmp_path


def complete() -> dict[str, Any]:
    """A file's content in which all is well."""
    return {
        "vault": {
            "address": "https://127.0.0.1:8200",
            "ca_cert": {"file": "vault-ca.pem"},
            "token": {"env": "ENABLEMENT_VAULT_TOKEN"},
        },
        "gitops": {
            "url": "https://github.com/example/apps.git",
            "repository": "example/apps",
            "token": {"file": "github-token"},
        },
        "clusters": {"smaug": {"kubeconfig": {"file": "smaug.kubeconfig"}}},
    }


def read(
    directory: Path, document: object, environ: Mapping[str, str] = ENVIRON
) -> dict[str, NamedConnection]:
    file = directory / "connections.yaml"
    file.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return {str(connection): connection for connection in read_connections(file, environ)}


def problems(directory: Path, document: object, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    with pytest.raises(ConnectionFileError) as caught:
        read(directory, document, environ)
    return caught.value.problems


def test_references_become_the_values_of_the_connections(directory: Path) -> None:
    connections = read(directory, complete())
    assert list(connections) == [
        "vault-connection/vault",
        "gitops-repository/gitops",
        "cluster-connection/smaug",
    ]
    vault = connections["vault-connection/vault"].block
    assert isinstance(vault, VaultConnection)
    assert vault.token == SecretStr("vault-token")
    assert vault.ca_cert == CA.strip()
    repository = connections["gitops-repository/gitops"].block
    assert isinstance(repository, GitOpsRepository)
    assert repository.token.get_secret_value() == "github-token"
    cluster = connections["cluster-connection/smaug"].block
    assert isinstance(cluster, ClusterConnection)
    assert yaml.safe_load(cluster.kubeconfig.get_secret_value()) == KUBECONFIG


def test_a_connection_can_have_another_name(directory: Path) -> None:
    document = complete()
    document["vault"]["name"] = "vault-emea"
    assert "vault-connection/vault-emea" in read(directory, document)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("vault", "token"),
        ("vault", "approle_secret_id"),
        ("gitops", "token"),
        ("clusters.smaug", "kubeconfig"),
    ],
)
def test_a_secret_in_plain_is_refused_and_not_repeated(section: str, key: str, directory: Path) -> None:
    document = complete()
    target = document
    for part in section.split("."):
        target = target[part]
    target[key] = "hunter2"
    found = problems(directory, document)
    assert (
        f"{section}.{key}: is a secret, which must not be in this file; write {{env: NAME}} or {{file: path}}"
        in found
    )
    assert "hunter2" not in str(found)


def test_everything_wrong_is_said_at_once(directory: Path) -> None:
    document = complete()
    document["vault"] = {"adress": "https://127.0.0.1", "token": {"env": "NOT_SET"}}
    document["gitops"]["token"] = {"file": "no-such-file"}
    document["clusters"]["Not A Name"] = {"kubeconfig": {"file": "smaug.kubeconfig"}}
    document["cluster"] = {}
    found = "\n".join(problems(directory, document))
    assert "vault.adress: is not a field; fields are address," in found
    assert "vault.address: is missing" in found
    assert "vault.token: the environment variable NOT_SET is not set" in found
    assert (
        f"gitops.token: the file {directory}/no-such-file cannot be read: No such file or directory" in found
    )
    assert "clusters.Not A Name" in found
    assert "cluster: is not a section; sections are vault, gitops, clusters" in found


@pytest.mark.parametrize(
    ("section", "changed", "expected"),
    [
        (
            "vault",
            {"address": "vault.example.com"},
            "vault.address: the address of the VaultConnection is not https://host[:port]",
        ),
        ("vault", {"kubernetes_role": "enablement"}, "vault: give exactly one of token"),
        ("gitops", {"repository": "apps"}, "gitops.repository: String should match"),
        ("gitops", {"layout": {"groups": "/groups"}}, "gitops.layout.groups: '/groups' must be"),
        (
            "gitops",
            {"layout": {"cluster_overlay": "overlays/prod"}},
            "gitops.layout.cluster_overlay: 'overlays/prod' must contain {cluster}",
        ),
        ("gitops", {"layout": {"operator_overlay": ""}}, "gitops.layout.operator_overlay: '' must be a path"),
        (
            "gitops",
            {"layout": {"operator_overlay": None, "bundle_listed_in": "operator_overlay"}},
            "gitops.layout: bundle_listed_in is operator_overlay, and there is none",
        ),
        ("gitops", {"layout": {"group": "groups"}}, "gitops.layout.group: Extra inputs are not permitted"),
    ],
)
def test_a_value_that_does_not_fit_is_named(
    section: str, changed: dict[str, Any], expected: str, directory: Path
) -> None:
    document = complete()
    document[section] |= changed
    (problem,) = problems(directory, document)
    assert problem.startswith(expected)


def test_a_bundle_whose_comments_are_in_another_encoding_is_read(directory: Path) -> None:
    (directory / "vault-ca.pem").write_bytes("# K\u00f6k\n".encode("latin-1") + CA.encode())
    vault = read(directory, complete())["vault-connection/vault"].block
    assert isinstance(vault, VaultConnection)
    assert vault.ca_cert == CA.strip()


@pytest.mark.parametrize(("content", "reason"), [(b"", "is empty"), (b"\xff\xfe\x00", "is not text")])
def test_a_file_without_text_is_refused(content: bytes, reason: str, directory: Path) -> None:
    (directory / "vault-ca.pem").write_bytes(content)
    (problem,) = problems(directory, complete())
    assert problem.startswith("vault.ca_cert: ")
    assert problem.endswith(reason)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "must be a mapping with the sections vault, gitops, clusters, conventions"),
        ("- vault", "must be a mapping with the sections vault, gitops, clusters, conventions"),
        ("vault: [", "line 2: is not YAML"),
        ("vault:\n  token: hunter2\n  token: hunter2\n", "line 3: has a key twice"),
        ("vault: {url: 2001-02-30}", "is not YAML"),
        (f"vault: {100_000 * '['}", "is not YAML"),
        ("a: &a [x]\n" + "".join(f"b{n}: &a [{9 * '*a,'}]\n" for n in range(9)), "is not YAML"),
        ("vault: text", "vault: must be a mapping of fields"),
        ("clusters: [smaug]", "clusters: must be a mapping from each cluster's name to its connection"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, expected: str, directory: Path) -> None:
    assert problems(directory, text) == [expected]


def test_a_file_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFileError, match="No such file or directory"):
        read_connections(tmp_path / "absent.yaml", {})


def test_a_layout_says_null_of_what_there_is_not(directory: Path) -> None:
    document = complete()
    document["gitops"] |= {"layout": {"operator_overlay": None, "applications": None}}
    (gitops,) = (
        one.block for one in read(directory, document).values() if isinstance(one.block, GitOpsRepository)
    )
    assert (gitops.layout.operator_overlay, gitops.layout.applications) == (None, None)


EXAMPLE = Path(__file__).parents[2] / "deployments" / "connections.example.yaml"


def test_the_example_is_valid_once_its_files_are_there(directory: Path) -> None:
    connections = read(directory, EXAMPLE.read_text())
    assert len(connections) == 3


def test_two_clusters_do_not_have_one_connection(directory: Path) -> None:
    document = complete()
    both = dict.fromkeys(("ocp.east", "ocp-east"), document["clusters"]["smaug"])
    (problem,) = problems(directory, document | {"clusters": both})
    assert problem == "clusters.ocp.east: its connection is called 'ocp-east', as that of clusters.ocp-east"
