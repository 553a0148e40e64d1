"""What `make demo` accepts, and that it never reaches another machine by accident."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sandbox.demo_options import DemoOptions
from sandbox.processes import SandboxError
from tests.systems.openshift.scripted_api import kubeconfig


def kubeconfig_file(directory: Path, server: str) -> str:
    file = directory / "kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig(server, None)))
    return str(file)


def test_what_a_shell_happens_to_have_is_never_used(tmp_path: Path) -> None:
    shell = {
        "KUBECONFIG": kubeconfig_file(tmp_path, "https://prod.example"),
        "VAULT_ADDR": "https://vault.example",
        "VAULT_TOKEN": "t",
        "VAULT_CACERT": "/ca",
        "BAO_ADDR": "https://bao.example",
        # A POSIX shell's start-up file.
        "ENV": "/home/somebody/.shrc",
    }
    assert DemoOptions.read(shell) == DemoOptions()


@pytest.mark.parametrize(
    ("environ", "options"),
    [
        ({}, DemoOptions(False, False, "ember", "emea", ("payments", "web"), None)),
        ({"CLUSTER": "jerry", "ENV": "moc"}, DemoOptions(cluster="jerry", env="moc")),
        ({"NAMESPACES": "a, b"}, DemoOptions(namespaces=("a", "b"))),
        ({"AUTO": "1", "DEMO_KEEP": "1"}, DemoOptions(auto=True, keep=True)),
        *(({"AUTO": value}, DemoOptions()) for value in ("", "0", "no", "false")),
        (
            {"DEMO_GITOPS_REPO": "https://git.example/a.git"},
            DemoOptions(repository="https://git.example/a.git"),
        ),
        ({"DEMO_GITOPS_REPO": "/"}, DemoOptions(repository="/")),
        ({"DATABASE": "postgresql"}, DemoOptions(distributed=True)),
        ({"DATABASE": "sqlite"}, DemoOptions()),
    ],
)
def test_the_variables_choose(environ: dict[str, str], options: DemoOptions) -> None:
    assert DemoOptions.read(environ) == options


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"CLUSTER": "../x"}, "CLUSTER='../x' is not a name"),
        ({"CLUSTER": "Ember"}, "CLUSTER='Ember' is not a name"),
        ({"ENV": "emea "}, "ENV='emea ' is not a name"),
        ({"NAMESPACES": "payments,*"}, r"NAMESPACES='\*' is not a name"),
        ({"NAMESPACES": "payments,"}, "NAMESPACES='' is not a name"),
        ({"DEMO_KUBECONFIG": "/no/such/file"}, "DEMO_KUBECONFIG=/no/such/file: there is no such file"),
        ({"DEMO_GITOPS_REPO": "/no/such/folder"}, "DEMO_GITOPS_REPO=/no/such/folder: there is no such"),
        ({"DEMO_VAULT_ADDR": "https://127.0.0.1:8200"}, "DEMO_VAULT_ADDR needs DEMO_VAULT_TOKEN"),
        ({"DEMO_VAULT_TOKEN": "t"}, "go with DEMO_VAULT_ADDR"),
    ],
)
def test_what_does_not_fit_is_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        DemoOptions.read(environ)


REMOTE = [
    "https://vault.example:8200",
    "https://10.0.0.1:8200",
    "https://127.0.0.1.evil.example",
    "vault.example",
]
LOCAL = ["https://127.0.0.1:8200", "https://localhost:8200", "http://127.1.2.3", "https://[::1]:8200"]


@pytest.mark.parametrize("server", REMOTE)
def test_a_server_elsewhere_is_refused(server: str, tmp_path: Path) -> None:
    for environ in (
        {"DEMO_VAULT_ADDR": server, "DEMO_VAULT_TOKEN": "t"},
        {"DEMO_KUBECONFIG": kubeconfig_file(tmp_path, server)},
    ):
        with pytest.raises(SandboxError, match=f"{next(iter(environ))} leads to .* not this machine"):
            DemoOptions.read(environ)


@pytest.mark.parametrize("address", LOCAL)
def test_a_vault_on_this_machine_is_used(address: str) -> None:
    options = DemoOptions.read({"DEMO_VAULT_ADDR": address, "DEMO_VAULT_TOKEN": "t"})
    assert options.vault_address == address


def test_a_server_elsewhere_is_used_when_it_is_named(tmp_path: Path) -> None:
    environ = {
        "DEMO_KUBECONFIG": kubeconfig_file(tmp_path, "https://api.lab.example:6443"),
        "DEMO_VAULT_ADDR": "https://vault.lab.example",
        "DEMO_VAULT_TOKEN": "t",
    }
    with pytest.raises(SandboxError):
        DemoOptions.read(environ)
    with pytest.raises(SandboxError, match=r"api\.lab\.example"):
        DemoOptions.read({**environ, "DEMO_ALLOW_REMOTE": "vault.lab.example"})
    options = DemoOptions.read({**environ, "DEMO_ALLOW_REMOTE": "api.lab.example,vault.lab.example"})
    assert options.kubeconfig == tmp_path / "kubeconfig"


@pytest.mark.parametrize("content", ["", "[]", "current-context: it", "{", "clusters: 1"])
def test_a_file_that_is_no_kubeconfig_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content)
    with pytest.raises(SandboxError, match="cannot be used as a kubeconfig"):
        DemoOptions.read({"DEMO_KUBECONFIG": str(file)})
