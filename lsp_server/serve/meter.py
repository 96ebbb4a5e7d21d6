"""What `/metrics` tells, in Prometheus's text format: this front's own counters, and the model process's.

Rules: numbers alone, nothing of what was sent. The model process's counters are over all its clients, editors included.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from model.link.messages import facts_of
from model.link.wire import StatusReply

_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Meter:
    """The counters of one `midfill serve`."""

    def __init__(self, n_running: Callable[[], int], n_waiting: Callable[[], int]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Generations, by how they ended", ("outcome",))
        self._prompt = self._counter("prompt_tokens", "Tokens of prompts")
        self._cached = self._counter("cached_prompt_tokens", "Of these, whose keys and values were reused")
        self._generated = self._counter("generated_tokens", "Tokens generated")
        self._first = self._histogram("time_to_first_token_seconds", "From the request to the first token")
        self._whole = self._histogram("request_seconds", "From the request to its end")
        self._gauge("requests_running", "Generations under way").set_function(n_running)
        self._gauge("requests_waiting", "Requests that wait for a session").set_function(n_waiting)
        self._ready = self._gauge("engine_ready", "Whether the model process can be asked")
        self._engine = {
            name: self._gauge(f"engine_{name}", help_text)
            for name, help_text in (
                ("sessions", "Sessions in the model process, editors' included"),
                ("kv_mb", "Megabytes of keys and values"),
                ("rss_mb", "Megabytes of the model process"),
                ("requests", "Requests of all its clients since it started"),
                ("computed_tokens", "Prompt tokens that it computed for them"),
                ("cached_tokens", "Prompt tokens that it reused for them"),
                ("prefill_tokens_per_s", "Prompt tokens a second, lately"),
            )
        }

    def first_token(self, seconds: float) -> None:
        """A request's first token came."""
        self._first.observe(seconds)

    def ended(self, outcome: str, seconds: float, n_prompt: int, n_cached: int, n_generated: int) -> None:
        """A generation ended: "ok", "cancelled" by its client, or "failed"."""
        self._requests.labels(outcome).inc()
        self._whole.observe(seconds)
        self._prompt.inc(n_prompt)
        self._cached.inc(n_cached)
        self._generated.inc(n_generated)

    def text(self, status: StatusReply | None) -> bytes:
        """All of it; without a status the model process's are as they were."""
        self._ready.set(0 if status is None else 1)
        if status is not None:
            facts = facts_of(status)
            for name, gauge in self._engine.items():
                gauge.set(facts[name] if name in facts else facts[f"n_{name}"])
        return generate_latest(self._registry)

    def _counter(self, name: str, about: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"midfill_{name}", about, labels, registry=self._registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"midfill_{name}", about, registry=self._registry)

    def _histogram(self, name: str, about: str) -> Histogram:
        return Histogram(f"midfill_{name}", about, buckets=_SECONDS, registry=self._registry)
