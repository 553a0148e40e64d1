"""Each request of a run tells its id, so that the log of any system leads to the run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from connections import ClusterConnection, GitOpsRepository
from runbook.errors import EnablementError
from sandbox.certificates import CertificateAuthority
from tests.systems.openshift.scripted_api import Answer, scripted_server

RUN = "0193a1b2-0000-7000-8000-000000000001"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> str:
    """As Prefect tells a process that executes a run."""
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", RUN)
    return RUN


@pytest.fixture
def seen() -> Iterator[tuple[str, list[str]]]:
    """The address of a GitHub, and the `User-Agent` of each request to it."""
    agents: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            agents.append(self.headers["User-Agent"])
            self.send_response(404)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nothing of it is of use."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/v3", agents
    server.shutdown()
    server.server_close()


def test_the_cluster_is_told(tmp_path: Path, run: str) -> None:
    with scripted_server(tmp_path, CertificateAuthority("of the cluster")) as script:
        script.answers["/version/"] = Answer.json({"gitVersion": "v1.29.6", "major": "1"})
        kubeconfig = yaml.safe_dump(script.kubeconfig())
        with ClusterConnection.model_validate({"env": "emea", "kubeconfig": kubeconfig}).client() as cluster:
            cluster.version()
        assert [headers["User-Agent"] for _, _, headers, _ in script.requests] == [
            f"vault-enablement (run {run})"
        ]


def test_github_is_told(seen: tuple[str, list[str]], run: str) -> None:
    address, agents = seen
    port = address.split(":")[2].split("/")[0]
    repository = GitOpsRepository.model_validate(
        {
            "url": f"http://127.0.0.1:{port}/sandbox/gitops.git",
            "repository": "sandbox/gitops",
            "api_url": address,
            "base_branch": "main",
            "token": "github_pat_of_the_test",
        }
    )
    with repository.github() as github, pytest.raises(EnablementError):
        github.base_commit("main")
    assert set(agents) == {f"vault-enablement (run {run})"}
