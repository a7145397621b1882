"""The metrics: what calls and strangers leave in them, and that any reader can read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow import Call, Failed, Flow, Hangup, Say, key
from callflow import Menu as Asks
from callflow.call.delays import Delays
from callflow.line import Conditions, place_call
from callflow.server.metrics import METRICS, Labels, Metric, Metrics, _lines_of
from callflow.server.serve import Server
from callflow.server.settings import Settings
from examples.echo import echo
from tests.call.far_end import OPENING, dialled, text
from tests.call.stage import QUIET, Stage, serving, write_prompts
from tests.server.asking import read_to_end

SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)')


def read(page: str) -> dict[tuple[str, Labels], float]:
    """Read the samples of a page as a scraper would; fail if a line is neither a sample nor a comment."""
    samples = {}
    for line in page.splitlines():
        if line.startswith("# "):
            assert line.split(" ", 3)[1] in {"HELP", "TYPE"}
            continue
        found = SAMPLE.match(line)
        assert found is not None, line
        labels = tuple((name, _plain(value)) for name, value in LABEL.findall(found[2] or ""))
        samples[found[1], labels] = float(found[3])
    return samples


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), value)


def test_every_metric_is_described_and_read_once() -> None:
    page = Server(echo).metrics.text()

    assert re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE) == [(each.name, each.kind) for each in METRICS]


@given(st.text())
def test_a_label_may_hold_anything(value: str) -> None:
    metric = Metric("callflow_any", "gauge", ("state",), "Help.", lambda *_: {})
    _, line = _lines_of(metric, {(("state", value),): 2.0})
    found = re.fullmatch(r'callflow_any\{state="((?:[^"\\\n]|\\.)*)"\} 2\n', line, re.DOTALL)

    assert found is not None
    assert _plain(found[1]) == value


@given(st.lists(st.floats(0, 10)))
def test_a_histogram_only_grows_from_step_to_step_and_ends_with_its_count(seconds: list[float]) -> None:
    delays = Delays()
    for each in seconds:
        delays.note(each)
    metric = Metric("callflow_any_seconds", "histogram", (), "Help.", lambda *_: delays)
    samples = read("".join(_lines_of(metric, delays)))

    steps = [value for (name, _), value in samples.items() if name.endswith("_bucket")]
    assert steps == sorted(steps)
    assert (steps[-1], samples["callflow_any_seconds_count", ()]) == (len(seconds), len(seconds))


# What calls leave.


class Choose(Asks[None], prompt="menu.wav"):
    @key("1")
    def thanks(self, call: Call[None]) -> Thanks:
        return Thanks()

    def on_failed(self, call: Call[None], why: Failed) -> Bye:
        return Bye()


class Thanks(Say[None], prompt="sorry.wav"):
    def then(self, call: Call[None]) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """An end."""


@pytest.fixture
def line(tmp_path: Path) -> Flow[None]:
    return Flow("shop", start=Choose, prompts=write_prompts(tmp_path))


def some(metrics: Metrics, *names: str) -> dict[str, dict[Labels, float]]:
    """Give the samples of some metrics."""
    samples = read(metrics.text())
    return {name: {labels: value for (each, labels), value in samples.items() if each == name} for name in names}


def calling(stage: Stage) -> Any:
    return place_call(stage.network.dial, profile=QUIET)


SHOP = ("flow", "shop")


async def test_a_live_call_is_shown_with_its_state(line: Flow[None], autojump_clock: MockClock) -> None:
    async with serving(line) as stage, calling(stage) as phone:
        await phone.wait(0.5)
        shown = some(
            stage.server.metrics, "callflow_calls", "callflow_calls_started_total", "callflow_calls_ended_total"
        )

    assert shown == {
        "callflow_calls": {(SHOP, ("state", "Choose")): 1},
        "callflow_calls_started_total": {(SHOP,): 1},
        "callflow_calls_ended_total": {},
    }


async def test_a_call_that_is_over_is_shown_with_its_cause(line: Flow[None], autojump_clock: MockClock) -> None:
    async with serving(line) as stage:
        async with calling(stage) as phone:
            await phone.wait(0.5)
        async with calling(stage) as phone:
            await phone.press("1")
            await phone.ended.wait()
        await stage.server.registry.wait_no_calls()
        shown = some(
            stage.server.metrics, "callflow_calls", "callflow_calls_started_total", "callflow_calls_ended_total"
        )

    assert shown == {
        "callflow_calls": {},
        "callflow_calls_started_total": {(SHOP,): 2},
        "callflow_calls_ended_total": {(SHOP, ("cause", "stop")): 1, (SHOP, ("cause", "flow")): 1},
    }


async def test_counters_do_not_fall_when_a_call_ends(line: Flow[None], autojump_clock: MockClock) -> None:
    pages = []
    async with serving(line) as stage:
        async with calling(stage) as phone:
            await phone.press("1")
            await phone.wait(0.3)
            pages.append(read(stage.server.metrics.text()))
            await phone.ended.wait()
        await stage.server.registry.wait_no_calls()
        pages.append(read(stage.server.metrics.text()))

    gauges = {metric.name for metric in METRICS if metric.kind == "gauge"}
    before, after = pages
    assert [name for name in before if name[0] not in gauges and after[name] < before[name]] == []
    assert before["callflow_media_total", (("direction", "out"),)] > 0


async def test_messages_are_counted_both_ways(autojump_clock: MockClock) -> None:
    async with serving(echo) as stage, calling(stage) as phone:
        await phone.play(bytes(range(160)) * 20)
        await phone.wait(0.5)
        entries = len([entry for entry in phone.log if entry.side == "in"])
        shown = some(stage.server.metrics, "callflow_messages_total", "callflow_media_total")

    directions = [{dict(labels)["direction"]: value for labels, value in each.items()} for each in shown.values()]
    assert directions == [{"in": entries, "out": 10}, {"in": 10, "out": 10}]


async def test_a_key_that_cuts_and_an_echo_that_comes_late_are_measured(
    line: Flow[None], autojump_clock: MockClock
) -> None:
    async with serving(line, conditions=Conditions(lag=0.2)) as stage, calling(stage) as phone:
        await phone.press("1")
        await phone.ended.wait()
        samples = read(stage.server.metrics.text())

    assert samples["callflow_clear_delay_seconds_count", ()] == 1
    assert samples["callflow_mark_delay_seconds_count", ()] == 1  # behind a clear, the moment of a mark is not sure
    assert samples["callflow_mark_delay_seconds_sum", ()] == pytest.approx(0.4, abs=0.01)  # there and back


async def test_strangers_are_shown_by_kind(autojump_clock: MockClock) -> None:
    async with serving(echo) as stage:
        talker = await dialled(stage.network, OPENING, text("no message"))
        peer = await stage.network.dial()
        peer.try_send(b"what is this?\n")
        await read_to_end(peer)
        for port in (talker.port, peer):
            port.close()
        shown = some(
            stage.server.metrics, "callflow_refused_total", "callflow_odd_total", "callflow_connections_failed_total"
        )

    assert shown == {
        "callflow_refused_total": {(("kind", "bad_request"),): 1},
        "callflow_odd_total": {(("verdict", "odd"),): 1, (("verdict", "ignored"),): 0, (("verdict", "fault"),): 0},
        "callflow_connections_failed_total": {(): 0},
    }


async def test_a_stream_that_is_turned_away_at_its_start_is_shown(autojump_clock: MockClock) -> None:
    async with serving(echo, settings=Settings(accounts=("mine",))) as stage:
        async with calling(stage) as phone:  # of another account
            await phone.ended.wait()
        shown = some(stage.server.metrics, "callflow_turned_away_total", "callflow_calls_started_total")

    assert shown == {"callflow_turned_away_total": {(("reason", "account"),): 1}, "callflow_calls_started_total": {}}
