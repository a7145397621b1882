"""What a server counts, in the text format that Prometheus reads. Written without a library: it is a few lines.

Nothing in it is of a caller: labels are names of flows, states, causes and reasons, all of which are few.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate

from attrs import Factory, define, field, frozen

from callflow.call.call import CallTask
from callflow.call.delays import STEPS, Delays
from callflow.server.door import Door
from callflow.server.registry import Registry
from callflow.server.screening import Screening
from callflow.session.inputs import Verdict

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]
Samples = Mapping[Labels, float] | Delays


@frozen
class Metric:
    """One metric, as it is described to whoever scrapes it."""

    name: str
    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    labels: tuple[str, ...]
    help: str
    read: Callable[[Metrics, Sums], Samples]


@define
class Sums:
    """What calls have in common: those that are over, or those together with the live ones."""

    started: Counter[Labels] = Factory(Counter)
    ended: Counter[Labels] = Factory(Counter)
    messages: Counter[Labels] = Factory(Counter)
    media: Counter[Labels] = Factory(Counter)
    odd: Counter[Labels] = Factory(Counter)
    seconds: float = 0.0
    late_chunks: int = 0
    dropped: int = 0
    mark_delays: Delays = Factory(Delays)
    clear_delays: Delays = Factory(Delays)

    def add(self, task: CallTask) -> None:
        """Add what a call has counted so far."""
        driver = task.driver
        self.started[("flow", task.flow.name),] += 1
        self.messages[("direction", "in"),] += driver.messages_in
        self.messages[("direction", "out"),] += driver.writer.messages_out
        self.media[("direction", "in"),] += driver.media_in
        self.media[("direction", "out"),] += driver.media_out
        for verdict in (Verdict.ODD, Verdict.IGNORED, Verdict.FAULT):
            self.odd[("verdict", verdict.value),] += driver.session.counts[verdict]
        self.seconds += driver.seconds
        self.late_chunks += driver.writer.late_chunks
        self.dropped += task.socket.link.dropped
        self.mark_delays.add(driver.mark_delays)
        self.clear_delays.add(driver.clear_delays)

    def add_all(self, past: Sums) -> None:
        """Add what was counted elsewhere."""
        for name in ("started", "ended", "messages", "media", "odd"):
            getattr(self, name).update(getattr(past, name))
        self.seconds += past.seconds
        self.late_chunks += past.late_chunks
        self.dropped += past.dropped
        self.mark_delays.add(past.mark_delays)
        self.clear_delays.add(past.clear_delays)


@define(eq=False)
class Metrics:
    """The metrics of one server.

    Args:
        door: Who came, and who was sent away.
        registry: The calls that there are.
        screening: Whose streams were turned away at their start.
    """

    door: Door
    registry: Registry
    screening: Screening
    _past: Sums = field(init=False, factory=Sums)

    def over(self, task: CallTask) -> None:
        """Keep what a call has counted; without effect for one that never started."""
        if task.record is not None:
            self._past.add(task)
            self._past.ended[("flow", task.record.flow), ("cause", task.record.cause.value)] += 1

    def text(self) -> str:
        """Write all of them down as they are now."""
        sums = Sums()
        sums.add_all(self._past)
        for task in self.registry.live:
            sums.add(task)
        return "".join(line for metric in METRICS for line in _lines_of(metric, metric.read(self, sums)))

    @property
    def calls(self) -> Counter[Labels]:
        """Calls that live, by flow and state."""
        return Counter((("flow", task.flow.name), ("state", task.state)) for task in self.registry.live)


def _lines_of(metric: Metric, samples: Samples) -> Iterable[str]:
    yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
    if isinstance(samples, Delays):
        yield from _histogram(metric.name, samples)
    else:
        yield from (f"{metric.name}{_braces(labels)} {value:g}\n" for labels, value in sorted(samples.items()))


def _histogram(name: str, delays: Delays) -> Iterable[str]:
    bounds = [*(f"{step:g}" for step in STEPS), "+Inf"]
    for bound, count in zip(bounds, accumulate(delays.counts), strict=True):
        yield f'{name}_bucket{{le="{bound}"}} {count}\n'
    yield f"{name}_sum {delays.total:g}\n{name}_count {sum(delays.counts)}\n"


def _braces(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _one(value: float) -> Samples:
    return {(): value}


def _by(label: str, counts: Mapping[str, int]) -> Samples:
    return {((label, name),): count for name, count in counts.items()}


def _build(_: Metrics, __: Sums) -> Samples:
    try:
        ours = version("callflow-trio")
    except PackageNotFoundError:
        ours = "not installed"
    return {(("version", ours), ("python", platform.python_version())): 1}


METRICS = (
    Metric("callflow_build_info", "gauge", ("version", "python"), "What runs here.", _build),
    Metric("callflow_ready", "gauge", (), "1 while new calls are wanted.", lambda m, _: _one(m.registry.ready())),
    Metric("callflow_connections", "gauge", (), "Open connections.", lambda m, _: _one(m.door.gate.sockets)),
    Metric("callflow_streams", "gauge", (), "Open streams.", lambda m, _: _one(m.door.gate.upgraded)),
    Metric(
        "callflow_streams_without_start",
        "gauge",
        (),
        "Open streams whose start has not come.",
        lambda m, _: _one(m.door.gate.without_start),
    ),
    Metric("callflow_calls", "gauge", ("flow", "state"), "Live calls.", lambda m, _: m.calls),
    Metric("callflow_calls_started_total", "counter", ("flow",), "Calls that started.", lambda _, s: s.started),
    Metric("callflow_calls_ended_total", "counter", ("flow", "cause"), "Calls that are over.", lambda _, s: s.ended),
    Metric("callflow_call_seconds_total", "counter", (), "Length of all calls.", lambda _, s: _one(s.seconds)),
    Metric(
        "callflow_refused_total",
        "counter",
        ("kind",),
        "Connections that were sent away.",
        lambda m, _: _by("kind", m.door.refused),
    ),
    Metric(
        "callflow_turned_away_total",
        "counter",
        ("reason",),
        "Streams that were turned away at their start.",
        lambda m, _: _by("reason", m.screening.refused),
    ),
    Metric(
        "callflow_connections_failed_total",
        "counter",
        (),
        "Connections that ended by a mistake inside callflow.",
        lambda m, _: _one(m.door.failed),
    ),
    Metric("callflow_messages_total", "counter", ("direction",), "Messages of calls.", lambda _, s: s.messages),
    Metric("callflow_media_total", "counter", ("direction",), "Those that carry audio.", lambda _, s: s.media),
    Metric("callflow_odd_total", "counter", ("verdict",), "Inputs that should not have come.", lambda _, s: s.odd),
    Metric(
        "callflow_late_chunks_total",
        "counter",
        (),
        "Chunks that came too late for gapless play-out.",
        lambda _, s: _one(s.late_chunks),
    ),
    Metric(
        "callflow_dropped_total",
        "counter",
        (),
        "Messages that were not sent because the far end read too slowly.",
        lambda _, s: _one(s.dropped),
    ),
    Metric(
        "callflow_mark_delay_seconds",
        "histogram",
        (),
        "From the moment at which a mark must have been reached to its echo.",
        lambda _, s: s.mark_delays,
    ),
    Metric(
        "callflow_clear_delay_seconds",
        "histogram",
        (),
        "From reading a key that cuts a prompt to the clear on its way.",
        lambda _, s: s.clear_delays,
    ),
)
"""All metrics, in the order in which they are written."""
