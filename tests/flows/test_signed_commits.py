"""Where a rule asks for signed commits, GitHub makes and signs ours."""

from __future__ import annotations

import pytest

from bench.world import REPOSITORY
from tests.run import at_the_gate, land
from tests.world import World

BRANCH = "enable-vault/emea/ember"


@pytest.mark.long
async def test_a_rule_for_signatures_gets_the_same_change_as_a_signed_commit(world: World) -> None:
    run = await at_the_gate(world)
    unsigned = world.git("cat-file", "commit", BRANCH)
    assert "gpgsig" not in unsigned

    world.github.rules[REPOSITORY, "main"] = ("pull_request", "required_signatures")
    await run.resume()
    assert await run.go() == "Suspended", run.error
    head, signed = world.git("rev-parse", BRANCH), world.git("cat-file", "commit", BRANCH)
    assert "gpgsig" in signed
    assert "\nauthor pipeline <" in signed
    assert signed.splitlines()[:2] == unsigned.splitlines()[:2], "tree and parent"
    assert signed.partition("\n\n")[2].strip() == unsigned.partition("\n\n")[2].strip(), (
        "message and trailers"
    )
    assert world.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split() == [
        BRANCH,
        "main",
    ]
    (pull,) = world.pulls()
    assert (pull["state"], pull["head"]["sha"]) == ("open", head.strip())

    await run.resume()
    assert await run.go() == "Suspended", run.error
    assert world.git("rev-parse", BRANCH) == head, "it is ours, and not made again"
    await land(world, run)
    assert await run.go() == "Completed", run.error
