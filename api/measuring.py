"""Figures for Prometheus: what the workers counted together, and how the clinic's clocks stand."""

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, multiprocess, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

from api import clock, db, schema
from api.audit import seal
from api.config import settings
from api.core import beats
from api.core.alerts import overdue_since
from api.outbox.lag import oldest_due, waiting

LOOPBACK = "127.0.0.1"


class Clocks(Collector):
    """Asked of the database at each look: readiness, the worker's beat, what waits and how long."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """A gauge each; where the database does not answer, `freshtrail_ready` alone."""
        try:
            ready = schema.is_ready()
            found = _found() if ready else {}
        except (DBAPIError, PoolTimeout):
            ready, found = False, {}
        yield GaugeMetricFamily("freshtrail_ready", "1 when it can serve.", value=float(ready))
        for (name, words), value in found.items():
            yield GaugeMetricFamily(f"freshtrail_{name}", words, value=value)


def _found() -> dict[tuple[str, str], float]:
    with db.transaction() as store:
        due, late, beat = oldest_due(), overdue_since(), beats.last()
        with db.within(finding=True):
            unsealed, untold = seal.oldest_unsealed(store), seal.oldest_untold(store)
        return {
            ("worker_silent_seconds", "Since the last beat of any worker."): _age(
                beat, datetime.now(UTC)
            ),
            ("deliveries_waiting", "Deliveries not made yet."): float(waiting()),
            ("delivery_late_seconds", "How long the oldest is due."): _age(due, clock.now()),
            ("escalation_late_seconds", "How long the oldest is due."): _age(late, clock.now()),
            ("unsealed_seconds", "Since the oldest event without a seal."): _age(
                unsealed, clock.now()
            ),
            ("untold_seconds", "Since the oldest sealed event in no checkpoint."): _age(
                untold, clock.now()
            ),
        }


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


def serve() -> None:
    """Answer `/metrics` on the loopback, in threads of this process."""
    registry = CollectorRegistry()
    settings().metrics.mkdir(parents=True, exist_ok=True, mode=0o700)
    multiprocess.MultiProcessCollector(registry, path=str(settings().metrics))  # type: ignore[no-untyped-call]
    registry.register(Clocks())
    start_http_server(settings().metrics_port, LOOPBACK, registry)
