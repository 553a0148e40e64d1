"""What the systems hold, read as their administrators, without what differs from run to run (ids, times)."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import requests

from bench.world import REPOSITORY
from sandbox.environment import clean_environment
from tests.world import World

State = dict[str, Any]

_CONTROLLERS = 0.5
"""Seconds without a change after which the cluster's controllers have nothing left to do."""

_POLICIES_OF_VAULT = {"root", "default", "response-wrapping", "enablement-pipeline"}


def state_of(world: World) -> State:
    """Everything that a run may change, in Vault, on GitHub and in its Git, and on the cluster."""
    return {**vault_state(world), **github_state(world), **cluster_state(world)}


def vault_state(world: World) -> State:
    """Policies, groups with their aliases, auth mounts with config and roles."""
    vault = world.vault
    mounts = vault.request("GET", "sys/auth")["data"]
    paths = {entry["accessor"]: path for path, entry in mounts.items()}
    state: State = {}
    for name in set(_keys(world, "sys/policies/acl")) - _POLICIES_OF_VAULT:
        state[f"policy {name}"] = vault.request("GET", f"sys/policies/acl/{name}")["data"]["policy"]
    groups = [
        vault.request("GET", f"identity/group/id/{id_}")["data"] for id_ in _keys(world, "identity/group/id")
    ]
    state["groups"] = sorted(
        (
            {
                **{key: group[key] for key in ("name", "type", "policies", "metadata")},
                "alias": (group["alias"].get("name"), paths.get(group["alias"].get("mount_accessor"))),
            }
            for group in groups
        ),
        key=lambda group: str(group["name"]),
    )
    state["group aliases"] = len(_keys(world, "identity/group-alias/id"))
    for path, entry in mounts.items():
        state[f"auth {path}"] = entry["type"]
        if entry["type"] == "kubernetes":
            state[f"auth {path}config"] = vault.request("GET", f"auth/{path}config").get("data")
            for role in _keys(world, f"auth/{path}role"):
                state[f"auth {path}role/{role}"] = vault.request("GET", f"auth/{path}role/{role}")["data"]
    return state


def _keys(world: World, path: str) -> list[str]:
    found: list[str] = world.vault.request("LIST", path).get("data", {}).get("keys", [])
    return found


def github_state(world: World) -> State:
    """Pull requests with their comments; of each branch the files, and the words of its own commits."""
    state: State = {
        "pull requests": [
            (pull["state"], pull["merged_at"] is not None, pull["head"]["label"], pull["title"], pull["body"])
            for pull in world.pulls()
        ]
    }
    for pull in world.pulls():
        comments = world.as_reviewer("GET", f"/issues/{pull['number']}/comments").json()
        state[f"comments on {pull['number']}"] = [comment["body"] for comment in comments]
    for head in _git(world, "for-each-ref", "--format=%(refname:short) %(tree)", "refs/heads").splitlines():
        branch, state[f"branch {branch}"] = head.split()
        if branch != "main":
            # With what they say: of a plan that moved nothing but a new commit's trailer tells.
            state[f"branch {branch}, commits"] = _git(world, "log", "--format=%B%x00", f"main..{branch}")
    return state


def _git(world: World, *arguments: str) -> str:
    bare = world.github.path_of(REPOSITORY)
    done = subprocess.run(
        ["git", "--git-dir", str(bare), *arguments],
        env=clean_environment(bare.parent),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def cluster_state(world: World) -> State:
    """The number of the cluster's latest change: equal numbers, and nothing at all was written to it."""
    answer = requests.get(
        f"{world.kubernetes.url}/api/v1/namespaces",
        headers={"Authorization": f"Bearer {world.kubernetes.admin_token}"},
        verify=str(world.kubernetes.ca_file),
        timeout=30,
    )
    answer.raise_for_status()
    return {"cluster, latest change": answer.json()["metadata"]["resourceVersion"]}


def settle(world: World) -> None:
    """Wait until the cluster's controllers have done what earlier changes gave them to do."""
    latest, since = cluster_state(world), time.monotonic()
    while time.monotonic() < since + _CONTROLLERS:
        time.sleep(0.05)
        if (now := cluster_state(world)) != latest:
            latest, since = now, time.monotonic()


def difference(wanted: State, found: State) -> str:
    """What is otherwise than wanted, for the message of a test."""
    parts = [
        f"{key} is {found.get(key)!r} and not {wanted.get(key)!r}"
        for key in sorted({*wanted, *found})
        if wanted.get(key) != found.get(key)
    ]
    return "; ".join(parts)
