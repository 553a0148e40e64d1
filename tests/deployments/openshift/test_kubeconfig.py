"""From an administrator's kubeconfig to the pipeline's, with the real kubectl and our two commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from runbook.cluster_rights import ClusterRight
from sandbox.environment import CHECKOUT, clean_environment
from sandbox.kubernetes_api import KubernetesApi
from systems.openshift import OpenShift

pytestmark = pytest.mark.long

Command = Callable[..., subprocess.CompletedProcess[str]]

TOKENS = ClusterRight("create", "serviceaccounts", "", "payments", "vault-secret-fetcher", "token")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    with KubernetesApi(tmp_path_factory.mktemp("kubernetes"), controller_delay=0.5) as server:
        yield server


@pytest.fixture
def run(api: KubernetesApi, tmp_path: Path) -> Command:
    """Run a command as the cluster's administrator; ``python -m`` for modules of the project."""
    environment = clean_environment(tmp_path / "home", KUBECONFIG=str(Path(api.admin_kubeconfig).resolve()))

    def command(name: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        start = [name] if name == "kubectl" else [sys.executable, "-m", name]
        return subprocess.run(
            [*start, *arguments],
            cwd=CHECKOUT,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command


def apply_account(run: Command) -> None:
    # The stand-in serves no OpenAPI document to validate against.
    apply = ("kubectl", "apply", "--server-side", "--validate=false", "--filename", "-")
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: payments\n"
    assert run(*apply, text=namespace).returncode == 0
    manifests = run("deployments.openshift.account", "payments").stdout
    applied = run(*apply, text=manifests)
    assert applied.returncode == 0, applied.stderr
    assert (
        "clusterrole.rbac.authorization.k8s.io/vault-enablement-pipeline serverside-applied" in applied.stdout
    )


def make_kubeconfig(
    run: Command, api: KubernetesApi, file: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """As the documents have it, with what ``kubectl config view`` prints on the standard input."""
    view = ("config", "view", "--minify", "--flatten", "--raw", "--kubeconfig")
    admin = run("kubectl", *view, str(api.admin_kubeconfig)).stdout
    return run("deployments.openshift.kubeconfig", str(file), *options, text=admin)


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ((), "with Secret vault-enablement/pipeline-token"),
        (("--lifetime", "1h"), "UTC"),
    ],
)
def test_the_commands_make_a_kubeconfig_with_these_rights(
    run: Command, api: KubernetesApi, tmp_path: Path, options: tuple[str, ...], end: str
) -> None:
    apply_account(run)
    file = tmp_path / "ember.kubeconfig"
    file.write_text("an older one, readable by all")
    made = make_kubeconfig(run, api, file, *options)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(f"{file}: vault-enablement/pipeline at {api.url}; the token expires ")
    assert made.stdout.strip().endswith(end)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".*")) == []
    config = yaml.safe_load(file.read_text())
    token = config["users"][0]["user"]["token"]
    assert token not in made.stdout + made.stderr
    assert api.admin_token not in file.read_text()
    with OpenShift(config) as pipeline:
        forbidden = ClusterRight("list", "secrets")
        assert pipeline.denied([TOKENS, forbidden]) == (forbidden,)
    # The file is one that kubectl understands, too: it logs in with it, and sees what the pipeline may see.
    seen = run("kubectl", "--kubeconfig", str(file), "get", "secrets", "--namespace", "payments")
    assert 'User "system:serviceaccount:vault-enablement:pipeline" cannot list' in seen.stderr


def test_without_an_account_the_command_says_what_to_apply(run: Command, tmp_path: Path) -> None:
    with KubernetesApi(tmp_path / "empty") as empty:
        made = make_kubeconfig(run, empty, tmp_path / "out")
    assert made.returncode == 1
    assert "Secret vault-enablement/pipeline-token: is not there" in made.stderr
    assert "python -m deployments.openshift.account" in made.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("token: [sha256~secret", "is not a YAML mapping"),
        ("current-context: here", "kubeconfig, contexts"),
    ],
)
def test_what_is_no_kubeconfig_is_said_and_not_quoted(
    run: Command, tmp_path: Path, text: str, words: str
) -> None:
    made = run("deployments.openshift.kubeconfig", str(tmp_path / "out"), text=text)
    assert made.returncode == 1
    assert words in made.stderr
    assert "sha256~secret" not in made.stderr


def test_a_file_that_cannot_be_written_is_said(run: Command, api: KubernetesApi, tmp_path: Path) -> None:
    apply_account(run)
    out = tmp_path / "nowhere" / "out"
    made = make_kubeconfig(run, api, out)
    assert made.returncode == 1
    assert f"{out} cannot be written: No such file or directory" in made.stderr
