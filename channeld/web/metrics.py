"""Prometheus metrics, in a registry of their own; those of several processes are added up."""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from channeld.catalog.copies import Copy
from channeld.catalog.deliveries import Backlog
from channeld.indexing.publisher import Publication
from channeld.webhooks.lines import Outcome

_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What is counted."""

    registry: CollectorRegistry
    #: Where several processes keep their values; empty for one.
    shared_folder: str
    requests: Counter
    uploads: Counter
    uploaded_bytes: Counter
    copies: Counter
    publications: Counter
    changes: Counter
    publish_seconds: Histogram
    live_seconds: Histogram
    written_bytes: Counter
    damage: Counter
    trouble: Gauge
    webhook_attempts: Counter
    webhook_waiting: Gauge
    webhook_dead: Gauge
    webhook_oldest: Gauge
    sealed_id: Gauge
    seal_lag_seconds: Gauge
    children: dict[tuple[str, str], Counter] = field(default_factory=dict)

    def count_request(self, method: str, status: int) -> None:
        """Count one answer. Whoever invents methods does not invent metrics."""
        key = (method if method in _METHODS else "other", str(status))
        child = self.children.get(key)
        if child is None:
            child = self.children[key] = self.requests.labels(*key)
        child.inc()

    def count_publication(self, publication: Publication) -> None:
        """Count one flip."""
        self.publications.inc()
        self.changes.inc(publication.changes)
        self.publish_seconds.observe(publication.render_ms / 1000)
        self.live_seconds.observe(publication.waited_ms / 1000)
        self.written_bytes.inc(publication.bytes_written)

    def count_copy(self, copy: Copy) -> None:
        """Count a copy that has come to its end."""
        self.copies.labels(copy.state).inc()

    def count_webhook_attempt(self, outcome: Outcome) -> None:
        """Count one attempt to deliver an event."""
        self.webhook_attempts.labels(outcome).inc()

    def show_webhook_backlog(self, backlog: Backlog, now_ms: int) -> None:
        """Show what was not delivered to webhooks."""
        self.webhook_waiting.set(backlog.waiting)
        self.webhook_dead.set(backlog.dead)
        oldest_ms = now_ms if backlog.oldest_ms is None else backlog.oldest_ms
        self.webhook_oldest.set(max(0, now_ms - oldest_ms) / 1000)

    def show_sealing(self, last_id: int, lag_seconds: float) -> None:
        """Show how far the audit is sealed."""
        self.sealed_id.set(last_id)
        self.seal_lag_seconds.set(lag_seconds)

    def text(self) -> bytes:
        """Write everything in Prometheus' text format."""
        if not self.shared_folder:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self.shared_folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def make_metrics(shared_folder: str = "") -> Metrics:
    """Make the metrics of one process, all at zero; with a folder those of several processes are added up there.

    prometheus_client shares values only if ``PROMETHEUS_MULTIPROC_DIR`` named the folder before it was imported.
    """
    registry = CollectorRegistry()

    def counter(name: str, what: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"channeld_{name}", what, labels, registry=registry)

    def gauge(name: str, what: str) -> Gauge:
        return Gauge(f"channeld_{name}", what, registry=registry, multiprocess_mode="livemax")

    return Metrics(
        registry=registry,
        shared_folder=shared_folder,
        requests=counter("requests", "Answers by method and status.", ("method", "status")),
        uploads=counter("uploads", "Uploads by outcome.", ("outcome",)),
        uploaded_bytes=counter("uploaded_bytes", "Bytes of accepted packages."),
        copies=counter("copies", "Copies into production by the states that they came to.", ("state",)),
        publications=counter("publications", "Transactions that published new generations."),
        changes=counter("published_changes", "Changes of files in views that were published."),
        publish_seconds=Histogram(
            "channeld_publish_seconds",
            "From starting to render to live.",
            buckets=_SECONDS,
            registry=registry,
        ),
        live_seconds=Histogram(
            "channeld_live_seconds",
            "From the commit of the oldest change of a publication to live.",
            buckets=_SECONDS,
            registry=registry,
        ),
        written_bytes=counter("pack_bytes", "Bytes of pages, tables and shards written."),
        damage=counter("damaged_pieces", "Stored pieces found damaged while they were read."),
        trouble=gauge("indexer_trouble", "1 while publishing fails."),
        webhook_attempts=counter(
            "webhook_attempts", "Attempts to deliver events to webhooks, by outcome.", ("outcome",)
        ),
        webhook_waiting=gauge("webhook_waiting", "Deliveries to webhooks that wait."),
        webhook_dead=gauge("webhook_dead", "Deliveries to webhooks that were given up."),
        webhook_oldest=gauge(
            "webhook_oldest_waiting_seconds", "Age of the oldest event that waits to be delivered."
        ),
        sealed_id=gauge("audit_sealed_id", "The last row of the audit that is sealed."),
        seal_lag_seconds=gauge(
            "audit_seal_lag_seconds", "For how long the first row of the audit that is not sealed has waited."
        ),
    )


def forget_worker(shared_folder: str, pid: int) -> None:
    """Drop what an ended process said of its present state; what it counted stays counted."""
    mark_process_dead(pid, shared_folder)  # type: ignore[no-untyped-call]
