"""Every object is what an API server takes, by the published schemas; and by a server, where one is given."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.deployments.kubernetes.conftest import KUBECTL, Objects
from tests.deployments.kubernetes.rendered import job_of
from tests.deployments.kubernetes.schemas import CUSTOM, problems

FOLDERS = ("base", "overlays/openshift", "overlays/kubernetes", "site", "site on kubernetes", "server")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_object_fits_the_schema_of_its_kind(build: Callable[[str], Objects], folder: str) -> None:
    found = build(folder)
    assert found
    assert [problem for document in found for problem in problems(document)] == []


async def test_the_job_of_a_run_fits_its_schema() -> None:
    job = await job_of()
    # prefect-kubernetes demands these here. Kubernetes has no such fields, and ignores them with a warning.
    for name in ("parallelism", "completions"):
        assert job["spec"]["template"]["spec"].pop(name) == 1
    assert problems(job) == []


def _deployment(**container: Any) -> dict[str, Any]:
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": pod},
    }


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (_deployment(image="a"), "name: Field required"),
        (_deployment(name="a", imagePolicy="Always"), "imagePolicy: Extra inputs are not permitted"),
        (_deployment(name="a", image_pull_policy="Always"), "under the name that Python has"),
        (
            _deployment(name="a", ports=[{"containerPort": "80"}]),
            "containerPort: Input should be a valid int",
        ),
        ({"apiVersion": "apps/v2", "kind": "Deployment"}, "no kind Deployment in apps/v2"),
        (
            {
                "apiVersion": "route.openshift.io/v1",
                "kind": "Route",
                "metadata": {"name": "a"},
                "spec": {"to": {"kind": "Service", "name": "a"}, "paths": "/"},
            },
            "'paths' was unexpected",
        ),
    ],
)
def test_what_does_not_fit_is_seen(document: dict[str, Any], problem: str) -> None:
    (found,) = problems(document)
    assert problem in found


@pytest.mark.skipif("TEST_KUBECONFIG" not in os.environ, reason="needs a real API server: TEST_KUBECONFIG")
@pytest.mark.parametrize("folder", ["site", "site on kubernetes", "server"])
def test_an_api_server_takes_every_object(build: Callable[[str], Objects], folder: str) -> None:
    kubectl = [str(KUBECTL), "--kubeconfig", os.environ["TEST_KUBECONFIG"]]
    # Those kinds are there only with OpenShift and the operators.
    found = [one for one in build(folder) if (one["apiVersion"], one["kind"]) not in CUSTOM]
    (namespace,) = (one for one in found if one["kind"] == "Namespace")
    # A dry run makes no namespace, and refuses what belongs into one that is not there.
    subprocess.run([*kubectl, "apply", "-f-"], input=yaml.safe_dump(namespace), text=True, check=True)
    try:
        applied = subprocess.run(
            [*kubectl, "apply", "--dry-run=server", "--validate=strict", "-f-"],
            input=yaml.safe_dump_all(found),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        name = namespace["metadata"]["name"]
        subprocess.run([*kubectl, "delete", "namespace", name, "--wait=false"], check=True)
    assert applied.returncode == 0, applied.stderr
