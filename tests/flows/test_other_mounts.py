"""What a run asks of the mounts of other clusters, of which a Vault may have hundreds."""

from __future__ import annotations

from bench.traffic import Traffic
from runbook.errors import Conflict
from tests.rights import policy_of_the_tests, token_with
from tests.run import Run, at_the_gate, enable, land
from tests.world import World

OTHERS = 30


def with_others(world: World) -> None:
    for number in range(OTHERS):
        world.as_vault_admin("POST", f"sys/auth/other-{number}-k8s", {"type": "kubernetes"})
        lead(world, f"other-{number}-k8s", f"https://api.other-{number}.example.com:6443")


def lead(world: World, mount: str, host: str) -> None:
    config = {"kubernetes_host": host, "kubernetes_ca_cert": "any", "disable_local_ca_jwt": True}
    world.as_vault_admin("POST", f"auth/{mount}/config", config)


def asked(traffic: Traffic, words: str) -> int:
    return sum(words in one.words for one in traffic.requests())


async def rows(run: Run) -> str:
    return str((await run.artifacts())["preflight-emea-ember"])


async def test_what_a_run_may_not_read_is_asked_about_in_one_request(world: World) -> None:
    with_others(world)
    traffic = Traffic(world)
    run = await at_the_gate(world)
    assert asked(traffic, "auth/other-") == 0
    assert asked(traffic, "sys/capabilities-self") == 2, "for its own rights, and for the others"
    assert f"and {OTHERS - 5} more" in await rows(run)


async def test_what_vault_refuses_all_the_same_is_named_and_stops_nobody(world: World) -> None:
    with_others(world)
    refused = (
        'path "auth/other-0-k8s/config" {\n  capabilities = ["read"]\n  required_parameters = ["none"]\n}\n'
    )
    policy = policy_of_the_tests(world.vault, ["other-mounts"]) + refused
    world.connect(vault__token=token_with(world.vault, policy))
    assert "our token may not read auth/other-0-k8s/config. " in await rows(await at_the_gate(world))


async def test_what_it_may_read_is_read_in_its_first_execution_alone(world: World) -> None:
    with_others(world)
    token = token_with(world.vault, policy_of_the_tests(world.vault, ["other-mounts"]))
    world.connect(vault__token=token)
    traffic = Traffic(world)
    run = await at_the_gate(world)
    assert asked(traffic, "auth/other-") == OTHERS
    await land(world, run)
    world.as_vault_admin("POST", "sys/auth/made-meanwhile-k8s", {"type": "kubernetes"})
    traffic.forget()
    assert await run.go() == "Completed", run.error
    assert asked(traffic, "auth/other-") == 0
    assert asked(traffic, "auth/made-meanwhile-k8s/config") == 1
    traffic.forget()
    again = await enable(world)
    assert await again.go() == "Completed", again.error
    assert asked(traffic, "auth/other-") == 0, "a run of ours has led the mount there, and compared them"
    assert "to which a run of ours has led ember-k8s" in await rows(again)


async def test_a_cluster_that_another_mount_has_is_found_after_the_gate_where_its_address_has_changed(
    world: World,
) -> None:
    with_others(world)
    token = token_with(world.vault, policy_of_the_tests(world.vault, ["other-mounts"]))
    world.connect(vault__token=token)
    run = await at_the_gate(world)
    await land(world, run)
    # The same API server under another name, which the certificate has too.
    moved = world.kubernetes.url.replace("127.0.0.1", "localhost")
    lead(world, "other-0-k8s", moved)
    world.connect(vault__token=token, cluster__host_for_vault=moved)
    traffic = Traffic(world)
    assert await run.go() == "Failed"
    assert isinstance(run.error, Conflict)
    assert f"auth/other-0-k8s/config: has the API server {moved} already" in str(run.error)
    assert traffic.writes() == []


async def test_a_mount_that_led_nowhere_when_the_run_began_is_looked_at_again(world: World) -> None:
    world.as_vault_admin("POST", "sys/auth/other-k8s", {"type": "kubernetes"})
    world.connect(vault__token=token_with(world.vault, policy_of_the_tests(world.vault, ["other-mounts"])))
    run = await at_the_gate(world)
    await land(world, run)
    lead(world, "other-k8s", world.kubernetes.url)
    traffic = Traffic(world)
    assert await run.go() == "Failed"
    assert "auth/other-k8s/config: has the API server" in str(run.error)
    assert traffic.writes() == []
