"""kubectl, the real one, as the sandbox's agent and the people who try it out use it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.environment import clean_environment
from tests.sandbox.kubernetes_api.kube import Kube, Namespace

Kubectl = Callable[..., subprocess.CompletedProcess[str]]

MANIFEST = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: app
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  colour: {colour}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: app-views
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: view
subjects:
  - kind: ServiceAccount
    name: app
    namespace: {namespace}
"""


@pytest.fixture
def kubectl(kube: Kube, namespace: Namespace, tmp_path: Path) -> Kubectl:
    """Run kubectl as the administrator, in the test's namespace."""
    environment = clean_environment(tmp_path / "home", KUBECONFIG=str(kube.kubeconfig.resolve()))

    def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", "--namespace", namespace.name, *arguments],
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_manifests_are_applied_and_applied_again(kubectl: Kubectl, namespace: Namespace) -> None:
    apply = ("apply", "--server-side", "--validate=false", "--filename", "-")
    manifest = MANIFEST.format(colour="red", namespace=namespace.name)
    first = kubectl(*apply, text=manifest)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [
        "serviceaccount/app serverside-applied",
        "configmap/settings serverside-applied",
        "rolebinding.rbac.authorization.k8s.io/app-views serverside-applied",
    ]
    assert kubectl(*apply, text=manifest.replace("red", "blue")).returncode == 0
    found = json.loads(kubectl("get", "configmap", "settings", "--output", "json").stdout)
    assert found["data"] == {"colour": "blue"}


def test_objects_are_listed_by_short_name_and_deleted(kubectl: Kubectl, namespace: Namespace) -> None:
    namespace.account("app")
    listed = kubectl("get", "sa", "--output", "name", "--field-selector", "metadata.name=app")
    assert listed.stdout == "serviceaccount/app\n"
    deleted = kubectl("delete", "serviceaccount", "app", "--wait")
    assert deleted.returncode == 0, deleted.stderr
    missing = kubectl("get", "serviceaccount", "app")
    assert missing.returncode == 1
    assert missing.stderr == 'Error from server (NotFound): serviceaccounts "app" not found\n'


def test_an_unknown_kind_is_unknown(kubectl: Kubectl) -> None:
    answer = kubectl("get", "nothings.example.com")
    assert answer.returncode == 1
    assert 'the server doesn\'t have a resource type "nothings"' in answer.stderr
