"""`make demo` as a whole, from the outside: what it prints, how it ends, and what it leaves alone."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from sandbox.environment import CHECKOUT
from sandbox.ports import ANSWER_SECONDS, is_free
from sandbox.prefect_server import USUAL_PORT as PREFECT_PORT
from sandbox.vault_server import USUAL_PORT as VAULT_PORT
from tests.systems.openshift.scripted_api import kubeconfig

pytestmark = pytest.mark.e2e

SECONDS = 600.0


class Listener:
    """Something on a port that must not be spoken to; counts who does all the same."""

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.visitors = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed
            self.visitors += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@contextmanager
def listening(port: int = 0) -> Iterator[Listener]:
    listener = Listener(port)
    try:
        yield listener
    finally:
        listener.close()


def personal_environment(home: Path, port: int, touched: Path) -> dict[str, str]:
    """What somebody may have in shell and home; all of it leads to ``port`` or touches a file."""
    helper = home / "helper"
    files = {
        ".kube/config": json.dumps(kubeconfig(f"https://127.0.0.1:{port}", None, "personal-token")),
        ".vault-token": "personal-token",
        ".gitconfig": f"[credential]\n\thelper = {helper}\n[core]\n\thooksPath = {home / 'hooks'}\n",
        ".netrc": "machine 127.0.0.1 login me password personal-token\n",
        ".prefect/profiles.toml": (
            f'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "http://127.0.0.1:{port}/api"\n'
        ),
        "hooks/pre-commit": f"#!/bin/sh\ntouch {touched}\n",
        "helper": f"#!/bin/sh\ntouch {touched}\n",
    }
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o700)
    proxy = f"http://127.0.0.1:{port}"
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "KUBECONFIG": str(home / ".kube/config"),
        "VAULT_ADDR": f"https://127.0.0.1:{port}",
        "VAULT_TOKEN": "personal-token",
        "BAO_ADDR": f"https://127.0.0.1:{port}",
        "BAO_TOKEN": "personal-token",
        "GITHUB_TOKEN": "personal-token",
        "GH_TOKEN": "personal-token",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_API_KEY": "personal-token",
        "GIT_ASKPASS": str(helper),
        "SSH_ASKPASS": str(helper),
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "http_proxy": proxy,
        "https_proxy": proxy,
        "ALL_PROXY": proxy,
    }


class Demo:
    """A demo in a process of its own, whose output is read while it runs."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.output = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.demo"],
            env=environment,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.output += line

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the output matches."""
        deadline = time.monotonic() + SECONDS
        while not (match := re.search(pattern, self.output)):
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)
        return match

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for its end; returns the exit status."""
        try:
            status = self._process.wait(SECONDS)
        finally:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
                self._process.wait(60)
        self._reader.join(30)
        return status

    @property
    def state(self) -> Path:
        """Where this demo keeps its things."""
        return Path(self.wait_for(r"what it keeps is in (\S+)\.\n")[1])

    def left_running(self) -> list[str]:
        """Processes of this demo, by what only they have: its directory in their environment."""
        mark = str(self.state)
        found = []
        for process in psutil.process_iter():
            try:
                if mark in " ".join([*process.environ().values(), *process.cmdline()]):
                    found.append(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> None:
    """Who starts the tests in the background has this signal ignored, and a demo would take that over."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_it_enables_a_cluster_by_itself_and_touches_nothing_of_the_person(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    with ExitStack() as stack:
        personal = stack.enter_context(listening())
        # The usual ports are taken, by what a person may have running there.
        for port in filter(is_free, (VAULT_PORT, PREFECT_PORT)):
            stack.enter_context(listening(port))
        demo = Demo({**personal_environment(tmp_path / "home", personal.port, touched), "AUTO": "1"})
        status = demo.end()
        assert status == 0, demo.output
        assert personal.visitors == 0
    assert f"127.0.0.1:{VAULT_PORT}" not in demo.output
    assert f"127.0.0.1:{PREFECT_PORT}" not in demo.output
    assert not touched.exists()
    assert "# Vault accepts logins of emea/ember; the operator was not seen" in demo.output
    assert "left to people: a run cannot log in at the identity provider" in demo.output
    assert "User login proved, which the run leaves to people" in demo.output
    assert re.search(r"merge service +enable emea/ember was woken: ", demo.output)
    assert demo.left_running() == []
    assert "personal-token" not in demo.output
    for name in ("PREFECT_API_URL", "VAULT_ADDR", "VAULT_CACERT", "VAULT_TOKEN", "KUBECONFIG", "CONNECTIONS"):
        assert f'export {name}="' in (demo.state / "demo.env").read_text()
    for secret in ("vault-token", "github-token", "webhook-secret"):
        assert (demo.state / secret).read_text() not in demo.output + (demo.state / "demo.env").read_text()
        assert (demo.state / secret).stat().st_mode & 0o777 == 0o600


def test_it_says_why_a_run_did_not_complete_and_fails() -> None:
    demo = Demo({"PATH": os.environ["PATH"], "AUTO": "1", "CLUSTER": "nowhere"})
    assert demo.end() == 1
    assert "The run did not complete" in demo.output
    assert "no cluster 'nowhere' in 'emea'" in demo.output
    assert "Nothing was changed" in demo.output
    assert demo.left_running() == []


def test_it_waits_for_a_person_to_merge_and_ends_on_ctrl_c() -> None:
    demo = Demo({"PATH": os.environ["PATH"]})
    page = demo.wait_for(r"waits for the merge of\n\s+(http://127\.0\.0\.1:\d+)/(\S+)/pull/(\d+)")
    token = json.loads((demo.state / "github" / "tokens.json").read_text())["reviewer"]
    ready = json.loads((demo.state / "github" / "ready.json").read_text())
    merged = requests.put(
        f"{ready['api_url']}/repos/{page[2]}/pulls/{page[3]}/merge",
        headers={"Authorization": f"Bearer {token}"},
        json={},
        timeout=ANSWER_SECONDS,
    )
    assert merged.status_code == 200
    demo.wait_for("Everything keeps running")
    run = demo.wait_for(r"(http://127\.0\.0\.1:\d+)/runs/flow-run/(\S+)")
    assert (
        requests.get(f"{run[1]}/api/flow_runs/{run[2]}", timeout=ANSWER_SECONDS).json()["state_type"]
        == "COMPLETED"
    )
    assert demo.left_running() != []
    demo.interrupt()
    assert demo.end() == 0
    assert demo.left_running() == []


def test_ctrl_c_leaves_nothing_behind_in_the_middle_of_the_start() -> None:
    demo = Demo({"PATH": os.environ["PATH"]})
    demo.wait_for(r"Vault \(OpenBao\) .*\n")
    demo.interrupt()
    assert demo.end() == 130
    assert demo.left_running() == []


def test_an_api_server_of_somebody_else_is_refused_before_anything_starts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    personal_environment(home, 1, tmp_path / "touched")
    kubeconfig = home / ".kube/config"
    kubeconfig.write_text(kubeconfig.read_text().replace("127.0.0.1", "api.production.example"))
    demo = Demo({"PATH": os.environ["PATH"], "DEMO_KUBECONFIG": str(kubeconfig)})
    assert demo.end() == 1
    assert "DEMO_KUBECONFIG leads to api.production.example, which is not this machine" in demo.output
    assert "Starting" not in demo.output
