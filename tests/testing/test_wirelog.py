"""Wire logs, and how the checker judges them."""

from __future__ import annotations

import pytest

from callflow.session.inputs import EndCause, Over
from callflow.testing.rules import LOW_LATENCY, RAW, SERVER, Breach, Verdict, check
from callflow.testing.wirelog import Closed, Entry, Malformed, Queued, TasksLeft, WireLog
from callflow.wire.audio import AudioFormat, Coding
from callflow.wire.messages import Connected, MediaFormat, Start, Stop
from tests.testing.logs import APP, CLEAR, IN, OUT, SPEECH, START, STOP, Line, key, log, mark, media, stream
from tests.testing.model_server import OWN

UTTERANCE: Line = (0.1, APP, Queued("u", SPEECH))
FIRST: Line = (0.1, OUT, media())
SPOKEN = stream((0.1, OUT, media()), (0.2, OUT, media()), (0.2, OUT, mark("m")))


def test_an_empty_log_tries_no_rule() -> None:
    verdict = check(WireLog())

    assert (verdict.breaches, set(verdict.premises.values())) == ((), {0})


def test_a_rule_that_needs_facts_has_no_case_without_them() -> None:
    wire_only = log(
        (0.0, IN, START),
        (0.1, OUT, media()),
        (0.1, OUT, mark("m")),
        (0.2, OUT, CLEAR),
        (0.3, IN, key("1", 9)),
        (0.4, IN, STOP),
    )
    untried = [rule for rule, cases in check(wire_only).premises.items() if cases == 0]

    beyond = [f"R{n}" for n in range(35, 41)]
    of_the_inside = ["R15", "R18", "R19", "R21", "R23", "R24", "R27", "R28", "R29", "R30", "R31", "R32", "R33", "R34"]
    assert untried == of_the_inside + beyond


def test_a_raw_flow_is_exempt_by_name() -> None:
    relay = stream((0.1, OUT, media(b"\1" * 160)), (0.1, OUT, media(bytes(64_000))))
    verdicts = [check(relay, exempt=exempt) for exempt in ((), RAW)]

    assert [sorted({b.rule for b in verdict.breaches}) for verdict in verdicts] == [["R17", "R18", "R20"], []]
    assert RAW.isdisjoint(verdicts[1].premises)


def test_low_latency_frames_are_exempt_by_name() -> None:
    frames = stream(*[(n / 50, OUT, media(bytes([n]) * 320)) for n in range(10)])
    broken = [{b.rule for b in check(frames, exempt=exempt).breaches} for exempt in ((), LOW_LATENCY)]

    assert broken == [{"R18"}, set()]


def test_an_exemption_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no rule \['R99'\]; the rules are R1 to R40"):
        check(WireLog(), exempt={"R99", "R20"})


def test_only_the_rules_that_were_asked_for_are_judged() -> None:
    verdict = check(SPOKEN, rules=[rule for rule in SERVER if rule.id == "R17"])

    assert verdict.premises == {"R17": 2}


def test_the_numbers_that_rules_compare_with_can_be_set() -> None:
    ahead = stream((0.1, OUT, media(bytes(9600))))
    late = stream((1.0, IN, STOP), (1.04, APP, Over(EndCause.STOP)), (1.5, APP, TasksLeft(0)))
    broken = [
        {b.rule for b in verdict.breaches}
        for verdict in (
            check(ahead, lead=0.3, chunk_seconds=0.2),
            check(ahead, lead=0.3, chunk_seconds=0.3),
            check(late, notice=0.0),
            check(late, grace=0.4),
        )
    ]

    assert broken == [{"R20"}, set(), {"R28"}, {"R30"}]


def test_the_lead_counts_in_seconds_of_the_lines_own_format() -> None:
    wide = Start(stream_sid=OWN, call_sid="call", media_format=MediaFormat(sample_rate=24000))
    lines: list[Line] = [(0.0, IN, wide), (0.1, OUT, media(bytes(24_000)))]  # 0.5 s at 24 kHz, lead and one chunk

    assert check(log(*lines)).breaches == ()
    assert check(log(*lines, (0.1, OUT, media(bytes(320))))).breaches == (
        Breach("R20", 0.1, "0.507 s ahead, 0.500 s allowed"),
    )


@pytest.mark.parametrize(("size", "broken"), [(320, 0), (99_840, 0), (99_840 + 320, 1), (99_999, 1), (0, 1), (319, 1)])
def test_a_payload_has_a_smallest_and_a_largest_size(size: int, broken: int) -> None:
    verdict = check(stream((0.1, OUT, media(bytes(size)))), lead=10.0)

    assert [breach.rule for breach in verdict.breaches] == ["R17"] * broken


def test_a_log_may_say_its_format_itself() -> None:
    mulaw = WireLog([Entry(0.0, IN, START)], form=AudioFormat(8000, Coding.MULAW))
    mulaw.noted(0.1, Queued("u", b"\1"))
    mulaw.sent(0.1, media(b"\1" + b"\xff" * 319))

    assert check(mulaw).breaches == ()


def test_padding_of_the_wrong_silence_is_no_padding() -> None:
    mulaw = WireLog([Entry(0.0, IN, START)], form=AudioFormat(8000, Coding.MULAW))
    mulaw.noted(0.1, Queued("u", b"\1"))
    mulaw.sent(0.1, media(b"\1" + bytes(319)))

    assert [breach.rule for breach in check(mulaw).breaches] == ["R19"]


@pytest.mark.parametrize(("at", "broken"), [(1.04, set()), (1.06, {"R25"})])
def test_at_the_far_end_what_crosses_a_stop_is_no_breach(at: float, broken: set[str]) -> None:
    recorded = stream((1.0, IN, STOP), (1.02, APP, Over(EndCause.FLOW)), (at, OUT, media()), crossing=0.05)

    assert {breach.rule for breach in check(recorded).breaches} == broken


def test_a_clear_without_a_noted_interrupt_takes_the_queue_back() -> None:
    lines: list[Line] = [UTTERANCE, FIRST, (0.1, OUT, CLEAR), (0.1, APP, Queued("b", b"\1" * 320))]
    new = check(stream(*lines, (0.1, OUT, media(b"\1" * 320)), (0.1, OUT, mark("m"))))

    assert new.breaches == ()


@pytest.mark.parametrize(("seconds", "broken"), [(0.05, []), (0.04, ["R20"])])
def test_at_the_far_end_audio_may_come_in_a_heap(seconds: float, broken: list[str]) -> None:
    recorded = stream(*[(0.1, OUT, media(bytes(800)))] * 13, crossing=seconds)  # 0.65 s

    assert [breach.rule for breach in check(recorded, exempt={"R17", "R18"}).breaches] == broken


def test_at_the_far_end_a_report_need_not_know_what_crossed_it() -> None:
    recorded = stream((1.0, IN, STOP), (1.02, APP, Over(EndCause.FLOW)), crossing=0.05)

    assert check(recorded).breaches == ()


def test_every_clear_takes_the_queue_back_where_no_interrupt_is_noted() -> None:
    rest = [(0.1, APP, Queued(name, SPEECH)) for name in "abc"]
    lines: list[Line] = [line for queued in rest for line in (queued, FIRST, (0.1, OUT, CLEAR))]

    assert check(stream(*lines)).breaches == ()


def test_any_stop_on_the_connection_ends_its_stream() -> None:
    verdict = check(stream((0.1, IN, Stop(stream_sid="another")), (0.1, APP, Over(EndCause.STOP)), (0.2, OUT, media())))

    assert [breach.words for breach in verdict.breaches] == ["media after stop"]


def test_an_end_that_says_nothing_is_one_without_a_close_frame() -> None:
    assert Closed() == Closed(code=1006, clean=False)


def test_queued_audio_is_shown_by_its_length_alone() -> None:
    assert repr(Queued("u", SPEECH)) == "Queued(utterance='u', audio=<6400 bytes>)"


def test_texts_are_read_as_they_are_added() -> None:
    read = WireLog()
    read.arrived(0.0, '{"event":"connected"}')
    read.arrived(0.1, b"\xff")
    read.sent(0.2, '{"event":"clear","stream_sid":"own"}')
    read.sent(0.3, '{"event":"cle')

    assert [entry.what for entry in read.entries] == [Connected(), Malformed("not JSON"), CLEAR, Malformed("not JSON")]


def test_verdicts_of_many_logs_add_up() -> None:
    bad = stream((0.1, OUT, media(b"")))
    total = sum([check(SPOKEN), check(bad)], Verdict())

    assert (total.premises["R17"], total.premises["R22"], total.rules) == (3, 1, SERVER)
    assert total.breaches == (Breach("R17", 0.1, "a payload of 0 bytes"),)


def test_the_table_shows_the_counts_of_every_rule() -> None:
    table = check(stream((0.1, OUT, media(b"")))).table().splitlines()

    assert len(table) == 1 + len(SERVER)
    assert table[3].split() == ["R17", "hard", "1", "1", *SERVER[2].sentence.split()]


def test_a_log_that_has_grown_is_read_anew() -> None:
    log = WireLog([Entry(0.0, IN, START)])
    before = (log.has(Closed), log.end(), len(log.connections()))
    log.arrived(1.0, Closed())
    log.sent(1.0, Closed(), conn=2)

    assert (before, log.has(Closed), log.end(), len(log.connections())) == (
        (False, None, 1),
        True,
        (1, Entry(1.0, IN, Closed())),
        2,
    )


def test_what_was_found_once_in_a_log_is_not_looked_for_again() -> None:
    asked = list[WireLog]()
    log = WireLog([Entry(0.0, IN, START)])

    def count(log: WireLog) -> int:
        asked.append(log)
        return len(log.entries)

    assert ([log.once("entries", count) for _ in range(3)], len(asked)) == ([1, 1, 1], 1)
