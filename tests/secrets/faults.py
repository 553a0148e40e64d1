"""Faults that somebody else causes in one of the systems, each of which makes one step fail."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.world import REPOSITORY
from sandbox.prefect_server import PrefectServer
from sandbox.vault_seed import PIPELINE_POLICY
from sandbox.vault_server import VaultServer
from tests.faults.faults import Point, Script
from tests.rights import EMBER, policy_of_the_tests
from tests.secrets.places import head_of, set_head
from tests.world import World

_PLAN_LINE = re.compile(r"^Plan: .*$", re.MULTILINE)


@contextmanager
def pinned(vault: VaultServer, path: str, field: str) -> Iterator[None]:
    """Vault's administrators allow one other value only; a token's capabilities do not show that."""
    before, rule, after = policy_of_the_tests(vault).partition(f'path "{path}" {{\n')
    block, end, rest = after.partition("\n}\n")
    opening = "  allowed_parameters = {\n"
    assert opening in block, f"nothing is pinned at {path}"
    # Our own value may be pinned already; it makes room for theirs.
    others = "\n".join(line for line in block.split("\n") if not line.startswith(f'    "{field}" = '))
    theirs = others.replace(opening, f'{opening}    "{field}" = ["theirs"]\n')
    policy = f"{before}{rule}{theirs}{end}{rest}"
    with policy_of_the_pipeline(vault, policy):
        yield


@contextmanager
def policy_of_the_pipeline(vault: VaultServer, policy: str) -> Iterator[None]:
    write = f"sys/policies/acl/{PIPELINE_POLICY}"
    vault.request("PUT", write, {"policy": policy})
    try:
        yield
    finally:
        vault.request("PUT", write, {"policy": policy_of_the_tests(vault)})


@contextmanager
def everybody_reads_everything(vault: VaultServer) -> Iterator[None]:
    """Somebody was generous in the policy that every session has: what must not be read, may be."""
    before = vault.request("GET", "sys/policies/acl/default")["data"]["policy"]
    generous = f'{before}\npath "k8s_secrets/*" {{ capabilities = ["read"] }}'
    vault.request("PUT", "sys/policies/acl/default", {"policy": generous})
    try:
        yield
    finally:
        vault.request("PUT", "sys/policies/acl/default", {"policy": before})


@contextmanager
def pushes_refused(world: World) -> Iterator[None]:
    """A server-side rule of the repository, which says in its refusal whatever it was told."""
    config = world.github.path_of(REPOSITORY) / "config"
    before = config.read_text()
    hooks = config.parent / "rules"
    hooks.mkdir()
    hook = hooks / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'commits must be signed off' >&2\nexit 1\n")
    hook.chmod(0o755)
    config.write_text(f"{before}[core]\n\thooksPath = {hooks}\n")
    try:
        yield
    finally:
        config.write_text(before)


@contextmanager
def base_branch_gone_once_it_is_proposed(world: World, script: Script) -> Iterator[None]:
    """Somebody pushes to the base branch as the pull request comes, and renames it before the look at it."""
    repository = world.github.path_of(REPOSITORY)
    head = head_of(repository, "main")
    moved = world.git("commit-tree", "main^{tree}", "-p", "main", "-m", "Of somebody else").strip()
    gone = threading.Event()

    def take_away(_place: int, point: Point) -> None:
        if gone.is_set():
            return
        if "git-receive-pack" in point.path:
            set_head(repository, "main", moved)
        elif "git-upload-pack" in point.path and world.pulls("open"):
            gone.set()
            set_head(repository, "main", None)

    script.begin(take_away)
    try:
        yield
    finally:
        script.begin()
        set_head(repository, "main", head)


@contextmanager
def no_room_for_the_report(server: PrefectServer) -> Iterator[None]:
    """Prefect's database refuses the report."""
    database = Path(server.environment["PREFECT_HOME"]) / "prefect.db"

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            connection.execute(statement)
            connection.commit()

    execute(
        "create trigger no_room before insert on artifact when new.key like 'report-%' "
        "begin select raise(abort, 'disk full'); end"
    )
    try:
        yield
    finally:
        execute("drop trigger no_room")


@contextmanager
def plan_not_named(world: World) -> Iterator[None]:
    """Somebody tidies up the text of the pull request, and the line goes that names the plan."""
    (pull,) = [one for one in world.pulls() if one["head"]["ref"] == EMBER.branch]
    path, text = f"/pulls/{pull['number']}", pull["body"]
    assert _PLAN_LINE.search(text), text
    world.as_reviewer("PATCH", path, json={"body": _PLAN_LINE.sub("", text)})
    try:
        yield
    finally:
        world.as_reviewer("PATCH", path, json={"body": text})


def give_vault_a_reviewer_without_rights(world: World) -> None:
    """Somebody configures the mount with the token of a ServiceAccount that may review nothing."""
    path = f"auth/{EMBER.mount}/config"
    kept = world.vault.request("GET", path)["data"]
    config = {name: kept[name] for name in ("kubernetes_host", "kubernetes_ca_cert", "disable_local_ca_jwt")}
    token = world.kubernetes.sign_token("payments", "vault-secret-fetcher", lifetime=3600)
    world.vault.request("POST", path, {**config, "token_reviewer_jwt": token})
