"""What kustomize builds of the manifests."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployments.kubernetes.rendered import FOLDER

KUBECTL = Path(sysconfig.get_path("scripts"), "kubectl")
Objects = list[dict[str, Any]]


@cache
def built(folder: Path) -> str:
    """The text that ``kubectl kustomize`` makes of a folder."""
    result = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def site_on_kubernetes(directory: Path) -> Path:
    """A copy of the example, changed to a Kubernetes as its first lines say, with monitoring and a label."""
    shutil.copytree(FOLDER, directory / "kubernetes")
    site = directory / "kubernetes" / "site"
    file = site / "kustomization.yaml"
    text = file.read_text().replace("../overlays/openshift", "../overlays/kubernetes")
    text = text.replace("kind: Route", "kind: Ingress").replace("/spec/host", "/spec/rules/0/host")
    label = "labels:\n  - {pairs: {team: platform}, includeSelectors: true}\n"
    file.write_text(f"{text}components:\n  - ../monitoring\n{label}")
    return site


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Objects]:
    """Builds a folder below ``deployments/kubernetes``, or ``site on kubernetes``."""
    on_kubernetes = site_on_kubernetes(tmp_path_factory.mktemp("site"))

    def build(name: str) -> Objects:
        folder = on_kubernetes if name == "site on kubernetes" else FOLDER / name
        return [*yaml.safe_load_all(built(folder))]

    return build
