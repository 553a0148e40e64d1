"""One API server for the session: the stand-in, or the real one that TEST_KUBECONFIG names.

Every test makes its own namespace and uniquely named cluster-scoped objects, and removes them. What holds of
the stand-in alone has `stand_in` in its name and asks for the fixture of that name.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.kubernetes_api import KubernetesApi
from tests.sandbox.kubernetes_api.kube import Kube, Namespace, connect


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """The API server of the session."""
    if kubeconfig := os.environ.get("TEST_KUBECONFIG"):
        yield connect(Path(kubeconfig))
        return
    directory = tmp_path_factory.mktemp("kubernetes")
    with KubernetesApi(directory, controller_delay=0.02) as api:
        yield connect(api.admin_kubeconfig)


@pytest.fixture
def namespace(kube: Kube) -> Iterator[Namespace]:
    """A namespace for one test."""
    made = Namespace(kube, f"test-{uuid.uuid4().hex[:8]}")
    kube.create("/api/v1/namespaces", {"metadata": {"name": made.name}})
    yield made
    for path in [*made.cluster_objects, f"/api/v1/namespaces/{made.name}"]:
        assert kube.send("DELETE", path).status_code in (200, 404, 409)


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[KubernetesApi]:
    """A stand-in of the test's own, whatever the session's API server is."""
    with KubernetesApi(tmp_path / "kubernetes", cluster_name="ember") as api:
        yield api
