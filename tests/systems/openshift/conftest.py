"""Fixtures: a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.certificates import CertificateAuthority
from systems.openshift import OpenShift
from tests.systems.openshift.scripted_api import TOKEN, Scripted, scripted_server


@pytest.fixture(scope="session")
def authority() -> CertificateAuthority:
    return CertificateAuthority("authority of the scripted API server")


@pytest.fixture
def scripted(tmp_path: Path, authority: CertificateAuthority) -> Iterator[Scripted]:
    with scripted_server(tmp_path, authority) as script:
        yield script


@pytest.fixture
def cluster(scripted: Scripted) -> Iterator[OpenShift]:
    with OpenShift(scripted.kubeconfig(token=TOKEN), timeout=5) as made:
        yield made
