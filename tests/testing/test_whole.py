"""The laws of whole examples that read stories, papers and boxes, each on evidence that is written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from callflow import Call, Flow, Hangup, State
from callflow.call.journal import Kind
from callflow.testing.evidence import Evidence, Papers
from callflow.testing.lawbook import LAWBOOK
from callflow.testing.laws.law import Patience
from callflow.testing.rules.rule import Limits
from tests.testing.lines import make_line
from tests.testing.stories import END, Line, fate, queued, story

PATIENCE = Patience(late=0.002, end=7.0, limit=3_600.0, resume=10.0)
LIMITS = Limits(lead=0.4, chunk_seconds=None, notice=0.0, grace=5.0)


@pytest.fixture
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Any:
    flow = make_line(tmp_path_factory.mktemp("line"))

    def made(*lines: Line, **more: Any) -> Evidence:
        stories = [story(*lines)] if lines else []
        return Evidence(flow=flow, stories=stories, patience=PATIENCE, limits=LIMITS, **more)  # type: ignore[arg-type]  # of Guest

    return made


def words(law: str, evidence: Evidence) -> list[str]:
    """Say how a law is broken."""
    return [case.broken for case in LAWBOOK[law].judge(evidence) if case.broken]


OVER = ((5.0, Kind.END, "over", {"cause": "flow"}), (5.0, Kind.END, "ended", {"cause": "flow"}))
BY_RUN = (3.0, Kind.STATE, "left", {"state": "Leave", "by": "run", "to": "Bye"})
BY_TIMEOUT = (3.0, Kind.STATE, "left", {"state": "Leave", "by": "on_timeout", "to": "Bye"})
BARGE_IN = (3.0, Kind.PLAYBACK, "barge-in", {"prompt": "bye.wav", "by": "key"})


def test_a_goodbye_that_the_flow_cuts_itself_is_found(evidence: Any) -> None:
    told = evidence(queued(2.0, "bye.wav"), BY_RUN, fate(3.0, "bye.wav", "cut"), *OVER)

    assert words("goodbye-is-heard", told) == ["bye.wav was cut by the flow itself"]


def test_a_goodbye_that_plays_when_the_flow_closes_is_found(evidence: Any) -> None:
    assert words("goodbye-is-heard", evidence(queued(2.0, "bye.wav"), *OVER)) == ["bye.wav still played"]


@pytest.mark.parametrize(
    "lines",
    [
        (queued(2.0, "bye.wav"), fate(3.0, "bye.wav", "heard"), *OVER),
        (queued(2.0, "bye.wav"), BARGE_IN, fate(3.0, "bye.wav", "cut"), BY_RUN, *OVER),
        (queued(2.0, "bye.wav"), BY_TIMEOUT, fate(3.0, "bye.wav", "cut"), *OVER),
        (queued(2.0, "bye.wav"), fate(3.0, "bye.wav", "cut"), BY_RUN, *OVER),
        ((2.0, Kind.PLAYBACK, "queued", {"prompt": "m", "loop": True}), BY_RUN, fate(3.0, "m", "cut"), *OVER),
        (queued(2.0, "bye.wav"), (3.0, Kind.END, "over", {"cause": "stop"})),
    ],
    ids=["heard", "cut by the caller", "cut by a time limit", "stopped on purpose", "music", "the caller left"],
)
def test_a_goodbye_may_end(evidence: Any, lines: tuple[Line, ...]) -> None:
    assert words("goodbye-is-heard", evidence(*lines)) == []


NOISE = (2.5, Kind.SPEECH, "began", {"seconds": 0.1})
PRESSED: Line = (2.5, Kind.KEY, "pressed", {})
ASKED = (2.5, Kind.STATE, "asked", {"state": "Say", "handler": "on_speech"})


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        ((NOISE, fate(2.5, "hi.wav", "cut")), ["speech has cut hi.wav"]),
        ((PRESSED, fate(2.5, "hi.wav", "cut")), ["key has cut hi.wav"]),
        (
            (NOISE, (2.5, Kind.PLAYBACK, "barge-in", {"prompt": "hi.wav", "by": "speech"}), fate(2.5, "hi.wav", "cut")),
            ["hi.wav may not be cut by a speech, and was"],
        ),
        ((NOISE, ASKED, fate(2.5, "hi.wav", "cut")), []),
        ((NOISE, fate(4.0, "hi.wav", "heard")), []),
        ((NOISE, (2.5, Kind.PLAYBACK, "paused", {"prompt": "hi.wav"}), fate(2.5, "hi.wav", "cut")), []),
    ],
    ids=["noise", "a key", "a barge-in", "the flow decided", "heard", "it pauses"],
)
def test_what_protects_itself_is_cut_by_the_flow_alone(
    evidence: Any, lines: tuple[Line, ...], broken: list[str]
) -> None:
    assert words("protected-prompts", evidence(queued(2.0, "hi.wav", barge_in=""), *lines, *END)) == broken


class Holds(State[None], timeout=9.0):
    async def run(self, call: Call[None]) -> None:
        """May stop what it plays whenever it likes."""

    def on_timeout(self, call: Call[None]) -> Bye:
        return Bye()


class Bye(Hangup[None]): ...


def test_a_state_with_code_of_its_own_may_stop_a_prompt_in_the_instant_of_a_key(evidence: Any) -> None:
    entered = (1.0, Kind.STATE, "entered", {"state": "Holds"})
    lines = (entered, queued(2.0, "hi.wav", barge_in=""), PRESSED, fate(2.5, "hi.wav", "cut"), *END)
    by = [evolve(told, flow=Flow("line", start=Holds)) for told in evidence(*lines).stories]

    assert words("protected-prompts", evolve(evidence(), stories=by)) == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("entered 4129", ["$pin stands in the log"]),
        ("{'digits': '4129'}", ["$pin stands in the log"]),
        ("took 0.4129 s of 241290 bytes", []),
        ("pin ••••", []),
    ],
)
def test_a_secret_is_found_where_it_stands_by_itself(evidence: Any, text: str, broken: list[str]) -> None:
    papers = Papers(entries={"pin": "4129"}, texts={"journal": ["key •"], "log": [text]})

    assert words("no-secrets", evidence(papers=papers)) == broken


def test_a_box_that_is_too_full_is_found(evidence: Any) -> None:
    told = evidence(fullest={"events in a mailbox": (257, 256), "bytes of audio that wait": (80_000, 80_000)})

    assert words("mailbox-bounded", told) == ["257 events in a mailbox, 256 allowed"]


@pytest.mark.parametrize(("answer", "broken"), [("HTTP/1.1 404 Not Found", 0), ("HTTP/1.1 101 x", 1), ("", 1)])
def test_a_stranger_has_to_be_told(evidence: Any, answer: str, broken: int) -> None:
    assert len(words("strangers-stay-out", evidence(strangers=[("no-handshake", answer)]))) == broken
