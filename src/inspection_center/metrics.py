"""Figures for Prometheus, read from the database when asked: they hold for every instance over it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from inspection_center import alerts, robots
from inspection_center.database import schema
from inspection_center.service import Center


class CenterCollector(Collector):
    """The center's figures at the moment of a scrape."""

    def __init__(self, center: Center) -> None:
        self._center = center

    def collect(self) -> Iterator[Metric]:
        """All figures."""
        with self._center.engine.connect() as connection:
            fleet = [one for one in robots.overview(connection, self._center.settings) if not one["revoked"]]
            by_state = alerts.counts(connection)
            quarantined = connection.execute(select(func.count()).select_from(schema.quarantine)).scalar_one()
            missing = connection.execute(select(func.coalesce(func.sum(schema.outbox.c.missing), 0))).scalar_one()
        yield _gauge("inspection_events_stored", "Number of the newest stored event", self._center.tail.last)
        yield _gauge("inspection_writer_waiting", "Writes that wait for their transaction", self._center.writer.waiting)
        yield _gauge("inspection_quarantined_events", "Events in quarantine", quarantined)
        yield _gauge("inspection_missing_events", "Events that robots declared lost", missing)
        yield _gauge("inspection_robots_silent", "Robots not heard of lately", sum(one["silent"] for one in fleet))
        states = GaugeMetricFamily("inspection_alerts", "Alerts by state", labels=["state"])
        for state, number in sorted(by_state.items()):
            states.add_metric([state], number)
        yield states
        outbox = GaugeMetricFamily("inspection_robot_outbox_events", "Findings a robot still holds", labels=["robot"])
        oldest = GaugeMetricFamily("inspection_robot_oldest_unsent_seconds", "Age of its oldest one", labels=["robot"])
        for one in fleet:
            outbox.add_metric([one["name"]], one["outbox"])
            oldest.add_metric([one["name"]], one["oldest_unsent_s"])
        yield outbox
        yield oldest


def registry(center: Center) -> CollectorRegistry:
    """A registry of this center alone."""
    made = CollectorRegistry()
    made.register(CenterCollector(center))
    return made


def exposition(made: CollectorRegistry) -> bytes:
    """The figures in Prometheus' text form."""
    return generate_latest(made)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
