"""The flow, from the form to the proved login, in this process through a real Prefect server."""

from __future__ import annotations

from tests.world import World, enable


async def test_a_cluster_is_enabled_from_pull_request_to_proved_login(world: World) -> None:
    run = await enable(world)
    assert await run.go() == "Suspended", await run.logs()
    (pull,) = world.pulls()
    assert pull["state"] == "open"
    world.merge()
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", await run.logs()
    report = (await run.artifacts())["report-emea-ember"]
    assert "payments/vault-secret-fetcher logs in at ember-k8s" in report
