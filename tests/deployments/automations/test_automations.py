"""The command that makes the automations, against a real Prefect server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import Flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.events.schemas.automations import Automation
from prefect.states import Crashed, Failed, InfrastructurePending, Submitting, Suspended

from deployments.automations.__main__ import main, read_automations
from flows.watch_merges import watch_merges
from sandbox.prefect_server import PrefectServer
from tests.eventually import eventually

CRASH = "Crash runs without heartbeat"
STUCK = "Schedule stuck runs again"
AGAIN = "Start crashed runs again"
LOOK = "Look for landed changes on an event"
ALL = (CRASH, STUCK, AGAIN, LOOK)
UNCHANGED = "".join(f"unchanged {name!r}\n" for name in ALL)


@pytest.fixture
def deployment(prefect_harness: PrefectServer) -> UUID:
    """The deployment that an automation runs, as `prefect deploy` names it."""
    with get_client(sync_client=True) as client:
        flow = client.create_flow(watch_merges)
        return client.create_deployment(flow, name="watch-merges")


@pytest.fixture
def automations(deployment: UUID) -> Iterator[Any]:
    def found() -> dict[str, Automation]:
        with get_client(sync_client=True) as client:
            return {one.name: one for one in client.read_automations()}

    yield found
    with get_client(sync_client=True) as client:
        for one in found().values():
            client.delete_automation(one.id)


def test_they_are_created_once_and_then_left_alone(
    automations: Any, deployment: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    main([])
    assert capsys.readouterr().out == "".join(f"created {name!r}\n" for name in ALL)
    first = automations()
    assert set(first) == set(ALL)
    assert first[LOOK].actions[0].deployment_id == deployment
    main([])
    assert capsys.readouterr().out == UNCHANGED
    assert automations() == first


def test_what_differs_is_updated_and_a_paused_one_stays_paused(
    automations: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main([])
    before = automations()[CRASH]
    with get_client(sync_client=True) as client:
        client.pause_automation(before.id)
    capsys.readouterr()
    main(["--silence", "200", "--pending", "300"])
    assert capsys.readouterr().out == UNCHANGED.replace("unchanged", "updated", 2)
    after = automations()[CRASH]
    assert (after.id, after.enabled, after.trigger.within.total_seconds()) == (before.id, False, 200.0)
    assert automations()[STUCK].trigger.within.total_seconds() == 300.0


def test_a_waiting_run_and_every_end_of_a_run_is_expected() -> None:
    crash, _, again, _ = read_automations(lambda name: uuid4(), {})
    trigger: Any = crash.trigger
    names = {name.removeprefix("prefect.flow-run.") for name in trigger.expect}
    assert {"heartbeat", "Suspended", "Paused", "AwaitingRetry"} <= names
    # Running begins the silence anew: of a run that is killed before its first heartbeat, or soon resumed.
    assert {kind.value.title() for kind in StateType} <= names
    assert trigger.after == {"prefect.flow-run.Running", "prefect.flow-run.heartbeat"}
    assert trigger.match_related["prefect.resource.name"] == [
        "enable-cluster",
        "enable-namespace",
        "diagnose-cluster",
        "watch-merges",
    ]
    started_by: Any = again.trigger
    assert "watch-merges" not in started_by.match_related["prefect.resource.name"]


@pytest.mark.long
def test_a_run_whose_pod_is_there_is_not_scheduled_again(automations: Any) -> None:
    main(["--pending", "10"])
    flow: Flow[[], None] = Flow(lambda: None, name="enable-cluster")
    with get_client(sync_client=True) as client:

        def taken() -> UUID:
            run: UUID = client.create_flow_run(flow).id
            client.set_flow_run_state(run, Submitting(), force=True)
            return run

        def state_of(run: UUID) -> str | None:
            state = client.read_flow_run(run).state
            return state.name if state else None

        with_pod = taken()
        client.set_flow_run_state(with_pod, InfrastructurePending(), force=True)
        lost = taken()
        eventually(lambda: state_of(lost) in {"Scheduled", "Late"}, lambda: str(state_of(lost)))
        assert state_of(with_pod) == "InfrastructurePending"


def test_a_window_that_prefect_does_not_take_is_refused(
    automations: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--silence", "9"])
    assert "the least is 10 seconds" in capsys.readouterr().err
    assert automations() == {}


class Listener(ThreadingHTTPServer):
    """What a Block posts to: the messages that came."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                listener.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its base class calls it so
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_people_are_told_of_runs_that_wait_fail_or_crash_through_a_block(
    automations: Any, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    CustomWebhookNotificationBlock(
        name="people",
        url=f"http://127.0.0.1:{listener.server_port}/secret-of-the-hook",
        json_data={"subject": "{{subject}}", "body": "{{body}}"},
    ).save("people", overwrite=True)
    told = {"Tell that a run waits", "Tell that a run failed", "Tell that a run crashed"}
    for _ in range(2):
        main(["--notify", "custom-webhook/people"])
    assert capsys.readouterr().out.count("unchanged 'Tell that a run ") == 3
    assert told < set(automations())
    assert "secret-of-the-hook" not in repr(automations())
    with get_client(sync_client=True) as client:
        states: list[State[Any]] = [
            Suspended(message="Waits for its merge."),
            Failed(message="Sealed."),
            Crashed(),
        ]
        for name in ("a-flow-of-somebody-else", "enable-cluster"):
            flow: Flow[[], None] = Flow(lambda: None, name=name)
            for state in states:
                run = client.create_flow_run(flow, name=f"{name} is {state.name}")
                client.set_flow_run_state(run.id, state, force=True)
    eventually(lambda: len(listener.heard) >= 3, lambda: listener.heard)
    heard = {one["subject"]: one["body"] for one in listener.heard}
    assert set(heard) == {
        "enable-cluster is Suspended waits for you",
        "enable-cluster is Failed failed",
        "enable-cluster is Crashed crashed",
    }
    assert heard["enable-cluster is Failed failed"].startswith("Sealed.\nhttp")
    assert heard["enable-cluster is Suspended waits for you"].startswith("Waits for its merge.\nhttp")
    assert heard["enable-cluster is Crashed crashed"].startswith("It is started again by itself")


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("slack-webhook/nobody", "`prefect block create slack-webhook` links to its form"),
        ("pigeon/nobody", "There is no Block 'pigeon/nobody'"),
        ("slack-webhook", "There is no Block 'slack-webhook'"),
        ("secret/no-hook", "cannot notify anybody"),
    ],
)
def test_a_block_that_cannot_notify_is_an_error_that_says_what_to_do(
    automations: Any, block: str, words: str
) -> None:
    Secret(value="x").save("no-hook", overwrite=True)
    with pytest.raises(SystemExit) as ended:
        main(["--notify", block])
    assert words in str(ended.value)
    assert automations() == {}


def test_without_the_deployment_nothing_is_made_and_that_is_said(automations: Any, deployment: UUID) -> None:
    with get_client(sync_client=True) as client:
        client.delete_deployment(deployment)
    with pytest.raises(SystemExit, match="Run `prefect --no-prompt deploy --all` first"):
        main([])
    assert automations() == {}
