"""The sandbox's Prefect server is a whole one, and can be looked at without a network."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from importlib.metadata import version
from urllib.parse import urljoin

import pytest
import requests

from sandbox.environment import CHECKOUT
from sandbox.prefect_server import WORK_POOL, PrefectServer

pytestmark = pytest.mark.long


def test_the_ui_and_all_that_its_page_loads_come_from_the_server_itself(
    prefect_server: PrefectServer,
) -> None:
    page = requests.get(prefect_server.run_url("4711"), headers={"Accept": "text/html"}, timeout=10)
    assert "<title>Prefect Server</title>" in page.text
    loaded = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page.text)
    assert loaded
    for reference in loaded:
        url = urljoin(page.url, reference)
        assert url.startswith(prefect_server.ui_url)
        asset = requests.get(url, timeout=10)
        assert asset.status_code == 200
        imported = re.findall(r'@import\s+(?:url\()?["\']?(https?:[^"\')]+)', asset.text)
        assert imported == [], f"{url} loads {imported}"


def test_nothing_is_told_to_anybody(prefect_server: PrefectServer) -> None:
    # The UI, too, sends its telemetry only if this says so.
    settings = prefect_server.api.request("GET", "/admin/settings")
    assert settings["server"]["analytics_enabled"] is False
    assert settings["server"]["ui"]["show_promotional_content"] is False


def test_the_work_pool_is_there_and_can_be_asked_for_again(prefect_server: PrefectServer) -> None:
    prefect_server.api.create_work_pool(WORK_POOL)
    assert prefect_server.api.request("GET", f"/work_pools/{WORK_POOL}")["type"] == "process"


def test_an_answer_that_is_an_error_says_what_was_asked(prefect_server: PrefectServer) -> None:
    with pytest.raises(requests.HTTPError, match=r"GET /deployments/name/no/such: 404 .*not found"):
        prefect_server.api.deployment("no/such")


def test_what_is_deployed_is_what_prefect_yaml_says(prefect_server: PrefectServer) -> None:
    api = prefect_server.api
    prefect_server.deploy()
    enable = api.deployment("enable-cluster/enable-cluster")
    assert enable["work_pool_name"] == WORK_POOL
    assert enable["parameter_openapi_schema"]["required"] == ["cluster", "namespaces"]
    assert enable["schedules"] == []
    # What an installation decides once; a run may say otherwise.
    assert enable["parameters"] == {"approve": True, "policy_scope": "", "sync_timeout": "1h"}
    assert api.deployment("enable-namespace/enable-namespace")["parameters"] == enable["parameters"]
    for given, approve in (({}, True), ({"approve": False}, False)):
        names = {"cluster": "ember", "env": "emea", "namespaces": ["web"]}
        run = api.create_flow_run("enable-cluster/enable-cluster", names | given)
        assert api.flow_run(run)["parameters"]["approve"] is approve
        api.request("DELETE", f"/flow_runs/{run}")
    # Resolved by each worker when a run starts: no path of this machine is stored.
    assert enable["pull_steps"][1:] == [
        {"prefect.deployments.steps.set_working_directory": {"directory": "{{ $ENABLEMENT_CHECKOUT }}"}}
    ]
    assert str(CHECKOUT) not in str(enable)
    watch = api.deployment("watch-merges/watch-merges")
    assert [schedule["schedule"]["interval"] for schedule in watch["schedules"]] == [600.0]
    assert watch["global_concurrency_limit"]["limit"] == 1
    assert watch["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    # A wrong parameter is refused before a run is made.
    wrong = {"cluster": "ember", "env": "emea", "namespaces": []}
    with pytest.raises(requests.HTTPError, match="namespaces"):
        api.create_flow_run("enable-cluster/enable-cluster", wrong)


def test_the_first_start_keeps_its_migrated_and_empty_database_for_the_next(
    prefect_server: PrefectServer,
) -> None:
    prefect_server.api.create_work_pool("made-after-the-start")
    (kept,) = (CHECKOUT / ".sandbox" / "cache").glob(f"prefect-{version('prefect')}.db")
    with closing(sqlite3.connect(kept)) as database:
        assert database.execute("select count(*) from alembic_version").fetchone() == (1,)
        assert database.execute("select count(*) from work_pool").fetchone() == (0,)
