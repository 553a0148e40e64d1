"""What the service tells Prometheus at ``/metrics``: how it is, and what it has seen of the runs.

In a registry of its own. What the last look at everything has found is collected from one value, so that no
scrape sees half of it, and nothing stays of what is over. Labels have few values: kinds, states, connections.
"""

from __future__ import annotations

import time
from collections import Counter as Count
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, ProcessCollector, Summary, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from change.gate.waits import APPROVAL, MERGE
from change.gate.watch import Round
from systems.github import CallsLeft
from tasks import visit


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at everything has found.

    Attributes:
        at: when it ended, a Unix timestamp.
        found: by the watch.
        calls: of GitHub's API, by name of the connection.
        runs: how many are in each state; None where the server was not able to count.
    """

    at: float
    found: Round
    calls: Mapping[str, CallsLeft] = field(default_factory=dict)
    runs: Mapping[str, int] | None = None


class Metrics:
    """The service's metrics.

    Attributes:
        seen: by the last look at everything that succeeded; None before.
        deliveries: answers to GitHub's webhook, by status code and by what was done.
    """

    def __init__(self) -> None:
        self.seen: Seen | None = None
        self._registry = CollectorRegistry()
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=self._registry)
        self._registry.register(_LastLook(self))
        self.deliveries = Counter(
            "enablement_deliveries_total",
            "Deliveries of GitHub's webhook, by status code and what was done.",
            ("code", "answer"),
            registry=self._registry,
        )
        self._wakings = Counter(
            "enablement_wakings_total",
            "Runs that were woken, by what they waited for.",
            ("waits_for",),
            registry=self._registry,
        )
        self._looks = Summary(
            "enablement_look_duration_seconds",
            "Duration of looks, by outcome.",
            ("outcome",),
            registry=self._registry,
        )
        for kind in KINDS:
            self._wakings.labels(kind)
        for outcome in ("succeeded", "failed"):
            self._looks.labels(outcome)

    def looked(self, seconds: float, woken: Iterable[Mapping[str, int]] | None) -> None:
        """Count a look.

        Args:
            seconds: that it took.
            woken: how many runs, by what they waited for, in each repository; None if the look failed.
        """
        self._looks.labels("failed" if woken is None else "succeeded").observe(seconds)
        for wakings in woken or ():
            for kind, number in wakings.items():
                self._wakings.labels(_known(kind)).inc(number)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)


class _LastLook(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        return ()  # else the registry collects once to learn the names

    def collect(self) -> Iterable[Metric]:
        seen = self._metrics.seen
        if seen is None:
            return
        yield GaugeMetricFamily(
            "enablement_last_look_timestamp_seconds",
            "When a look at everything succeeded last.",
            value=seen.at,
        )
        waits, waiting = seen.found.waits, dict.fromkeys(KINDS, 0)
        for kind, number in waits.count.items():
            waiting[_known(kind)] += number
        yield GaugeMetricFamily(
            "enablement_oldest_wait_seconds",
            "Time since the start of the oldest run that waits; 0 if none does.",
            value=max(0.0, time.time() - waits.since.timestamp()) if waits.since else 0.0,
        )
        yield _by(
            "waits_for",
            "enablement_waiting_runs",
            "Suspended runs, by what they wait for.",
            waiting,
        )
        yield _by(
            "system",
            "enablement_problems",
            "What the last look could not read, by system; the log has the details.",
            {**dict.fromkeys(SYSTEMS, 0), **Count(one.system for one in seen.found.problems)},
        )
        for name, words, which in (
            ("enablement_github_calls_left", "Calls of GitHub's API left in this hour.", "left"),
            ("enablement_github_call_limit", "Calls of GitHub's API in an hour.", "limit"),
        ):
            calls = {connection: getattr(one, which) for connection, one in seen.calls.items()}
            yield _by("connection", name, f"{words} By connection, whose token it is.", calls)
        if seen.runs is not None:
            yield _by(
                "state",
                "enablement_runs",
                "Runs that have not ended, or have so within a day, by state.",
                {**dict.fromkeys(STATES, 0), **seen.runs},
            )


KINDS = (MERGE, APPROVAL, *visit.KINDS, "other")
SYSTEMS = ("Connection", "Git", "GitHub", "OpenShift", "Vault", "input")
STATES = (
    *("Completed", "Failed", "Crashed", "Running", "Suspended", "Scheduled", "Late"),
    *("Pending", "Submitting", "InfrastructurePending"),
)
"""All exported also while there is nothing of them, so that a rule can compare with 0."""


def _known(kind: str) -> str:
    return kind if kind in KINDS else "other"


def _by(label: str, name: str, words: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family
