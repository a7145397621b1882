"""Call scripts: what is read, what is refused and with which cure, and what is written back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.errors import ScriptError
from callflow.line.grammar import GRAMMAR, form, render_step
from callflow.line.oddities import Oddity
from callflow.line.profile import BREAKABLE
from callflow.line.script import parse, render
from callflow.line.steps import (
    Act,
    Branch,
    Deafen,
    Drop,
    Ended,
    Ender,
    Ending,
    Enter,
    Fault,
    Freeze,
    HalfClose,
    HangUp,
    Header,
    Hear,
    Play,
    Press,
    Quiet,
    Reach,
    Reconnect,
    Ring,
    RingAgain,
    Script,
    SendOdd,
    Service,
    ServiceWay,
    Step,
    Wait,
)
from callflow.wire.audio import RATES, Coding
from callflow.wire.messages import KEYS


def step(line: str) -> Step:
    """Read a step that may stand anywhere."""
    return parse(f"keys 1\nplay a.wav\n{line}\n").steps[-1]


def refusal(text: str) -> str:
    with pytest.raises(ScriptError) as refused:
        parse(text, "bank.call")
    return str(refused.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hear welcome", Hear(prompt="welcome")),
        ("hear hi/welcome.wav", Hear(prompt="hi/welcome")),
        ('hear "twelve thousand" within 3s', Hear(prompt="twelve thousand", spoken=True, within=3.0)),
        ("hear menu for 0.4s within 2s", Hear(prompt="menu", at_least=0.4, within=2.0)),
        ("hear menu within 2.5 s cut", Hear(prompt="menu", within=2.5, ending=Ending.CUT)),
        ("hear menu complete within 300ms", Hear(prompt="menu", within=0.3, ending=Ending.COMPLETE)),
        ("keys 12#", Press(digits="12#")),
        ("keys #", Press(digits="#")),
        ("keys * gap 0.5s", Press(digits="*", gap=0.5)),
        ("type $pin", Enter(answer="pin")),
        ("type 1234 gap 250 ms", Enter(digits="1234", gap=0.25)),
        ("play hello.wav", Play(file="hello.wav")),
        ('play "my voice.wav"', Play(file="my voice.wav")),
        ("wait 2s", Wait(seconds=2.0)),
        ("state Menu within 2s", Reach(name="Menu", within=2.0)),
        ("quiet within 0.3s", Quiet(within=0.3)),
        ("quiet within 0.3s of play", Quiet(within=0.3, of=Act.PLAY)),
        ("hangup", HangUp()),
        ("drop", Drop()),
        ("deaf", Deafen()),
        ("freeze 2s", Freeze(seconds=2.0)),
        ("halfclose", HalfClose()),
        ("odd no-json", SendOdd(oddity=Oddity.NO_JSON)),
        ("service Bank hangs", Service(name="Bank", way=ServiceWay.HANGS)),
        ("again", RingAgain()),
        ("ended", Ended()),
        ("ended within 5s by flow", Ended(by=Ender.FLOW, within=5.0)),
    ],
)
def test_each_line_is_one_step(line: str, expected: Step) -> None:
    assert step(line) == expected


def test_a_call_may_ring_first_and_choose_a_branch_last() -> None:
    assert parse("ring\nhangup\nbranch B\n").steps == (Ring(), HangUp(), Branch(name="B"))


def test_the_header_says_who_calls_over_which_line() -> None:
    text = "from +910000000106\nto 0319\nseed 7\nlag 50ms\necho\n".replace("echo\n", "echoes no\n")
    text += 'rate 16000\ncoding mulaw\nbreaks R4 R7\nparam queue=a=b\nparam "city=New Town"\nhangup\n'

    assert parse(text).header == Header(
        caller="+910000000106",
        called="0319",
        seed=7,
        lag=0.05,
        echoes="never",
        rate=16000,
        coding=Coding.MULAW,
        breaks=frozenset({"R4", "R7"}),
        parameters={"queue": "a=b", "city": "New Town"},
    )


def test_comments_and_empty_lines_are_not_steps() -> None:
    text = "# all of it\n\n  # indented\nkeys 1 # press\nwait 1s  # #\nhangup\n"

    assert parse(text).steps == (Press(digits="1"), Wait(seconds=1.0), HangUp())


def test_a_step_knows_its_line() -> None:
    assert [each.line for each in parse("# one\n\nring\r\nhangup").steps] == [3, 4]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no step stands here; the shortest script is one line: hangup"),
        ("hier welcome", "no verb 'hier'; did you mean 'hear'?"),
        ("zzz", f"no verb 'zzz'; the verbs are {', '.join(GRAMMAR)}"),
        ("say hello", "a script has no voice of its own; record the words and write: play FILE.wav"),
        ("reconnect", "no line is lost here; write drop above it"),
        ("drop\nreconnect\nreconnect", "no line is lost here; write drop above it"),
        ("hangup\nreconnect", "no line is lost here; write drop above it"),
        ("drop\ntakeover", "the caller has gone in line 1; move that line below this one"),
        ("hear", f"a prompt is missing; write: {form('hear')}"),
        ("hear menu twice", f"'twice' is too much; write: {form('hear')}  # and a comment like this"),
        ("hear menu cut complete", f"an option stands here twice; write: {form('hear')}"),
        ('hear ""', 'no words stand between the quotation marks; write them like "PIN"'),
        ('hear "PIN', 'a quotation mark is left open; end the words with "'),
        ("hear what?", "'what?' is no file name; write words in quotation marks: \"what?\""),
        ("keys", f"KEYS is missing; write: {form('keys')}"),
        ("keys # the hash", f"KEYS is missing; write: {form('keys')}"),
        ("keys $pin", "keys are shown and recorded; write: type $pin"),
        ("keys 12a", "'12a' has to hold keys 0-9 * # and nothing else; leave the rest out"),
        ("type $1", "'$1' is no name of an answer; write it like $pin"),
        ("wait", "a time is missing; write: wait TIME"),
        ("wait 2", "'2' is no time; write it like 2s, 0.3s or 300ms"),
        ("wait -1s", "'-1s' is no time; write it like 2s, 0.3s or 300ms"),
        ("wait 2h", "'2h' is no time; write it like 2s, 0.3s or 300ms"),
        ("wait 4000s", "4000s is longer than a call can be; write at most 3600s"),
        ("wait 2s #now", "'#now' is too much; write: wait TIME  # and a comment like this"),
        ("play hello.mp3", "'hello.mp3' is no FILE.wav; write it like hello.wav"),
        ("state 1st", "'1st' is no STATE; write it like Menu"),
        ("keys 1\nquiet", f"'within' is missing; write: {form('quiet')}"),
        ("keys 1\nquiet within 1s of wait", f"keys or play has to stand here; write: {form('quiet')}"),
        ("quiet within 1s", "the caller has done nothing that silences the bot; write keys, type or play above it"),
        ("keys 1\nquiet within 1s of play", "the caller has done nothing that silences the bot; write play above it"),
        ("hear a\nring", "'ring' begins a call; make it the first step, behind service lines at the most"),
        ("hangup\nkeys 1", "the caller has gone in line 1; move that line below this one"),
        ("branch A", "a branch is chosen after the call; write hangup or ended above it"),
        ("hangup\nbranch to-sales!", "'to-sales!' is no BRANCH; write it like B, or sales"),
        ("hangup\nfrom 123", "'from' is a header line; write it above the first step"),
        ("from 12\nfrom 13", "'from' says this a second time; keep one of the two lines"),
        ("param a=1\nparam a=2", "'param' says this a second time; keep one of the two lines"),
        ("param a", "a parameter is written name=value, without blanks round the '='"),
        ("from home", "'home' is no NUMBER; write it like +910000000105"),
        ("rate 44100", "8000 or 16000 or 24000 has to stand here; write: rate (8000 | 16000 | 24000)"),
        ("breaks R4 R12", "'R12' is no rule that Exotel's side may break; write it like R4"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line_and_the_cure(text: str, problem: str) -> None:
    assert refusal(text) == f"bank.call:{max(1, len(text.splitlines()))}: {problem}"


def test_a_refusal_carries_its_place() -> None:
    with pytest.raises(ScriptError) as refused:
        parse("hangup\nhangup\n", Path("a.call"))

    assert (refused.value.path, refused.value.line) == (Path("a.call"), 2)


def test_a_secret_entry_is_written_by_its_name() -> None:
    assert render_step(Enter(answer="pin")) == "type $pin"


def test_words_with_a_quotation_mark_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="quotation mark"):
        render(Script(steps=(Hear(prompt='say "PIN"', spoken=True),)))


# There and back.

times = st.integers(0, 3_600_000).map(lambda milliseconds: milliseconds / 1000)
maybe_times = st.none() | times
keys = st.text(KEYS, min_size=1, max_size=12)
names = st.from_regex(r"[^\W\d]\w{0,12}", fullmatch=True)
no_quotes = st.characters(exclude_characters='"\r\n', exclude_categories=["Cs"])
words = st.text(no_quotes, min_size=1).filter(str.strip)
files = st.text(no_quotes, min_size=1, max_size=8).map(lambda name: f"x{name}.wav".replace("\x00", ""))

acts: st.SearchStrategy[Step] = st.one_of(
    st.builds(Press, digits=keys, gap=maybe_times),
    st.builds(Enter, digits=keys, gap=maybe_times),
    st.builds(Enter, answer=st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), gap=maybe_times),
    st.builds(Play, file=files),
)
expectations: st.SearchStrategy[Step] = st.one_of(
    st.builds(Hear, prompt=words, spoken=st.just(True), within=maybe_times, ending=st.none() | st.sampled_from(Ending)),
    st.builds(Hear, prompt=st.from_regex(r"[\w/-]{1,12}", fullmatch=True), at_least=maybe_times, within=maybe_times),
    st.builds(Wait, seconds=times),
    st.builds(Reach, name=names, within=maybe_times),
)
ends: st.SearchStrategy[list[Step]] = st.lists(
    st.builds(Ended, by=st.none() | st.sampled_from(Ender), within=maybe_times)
    | st.builds(Branch, name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", fullmatch=True)),
    max_size=3,
)
headers = st.builds(
    Header,
    caller=st.from_regex(r"\+?[0-9]{2,15}", fullmatch=True),
    seed=st.integers(0, 10**18 - 1),
    lag=times,
    echoes=st.sampled_from(["at once", "late", "never"]),
    rate=st.sampled_from(RATES),
    coding=st.sampled_from(Coding),
    breaks=st.frozensets(st.sampled_from(sorted(BREAKABLE))),
    parameters=st.dictionaries(
        st.from_regex(r"[\w.-]{1,8}", fullmatch=True), st.text(no_quotes, max_size=8), max_size=3
    ),
)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    before: list[Step] = [Ring()] if draw(st.booleans()) else []
    middle = draw(st.lists(acts | expectations, max_size=5))
    quiet: list[Step] = [draw(st.builds(Quiet, within=times, of=st.none() | st.just(Act.KEYS)))]
    steps = [*before, *middle, Press(digits="1"), *quiet, draw(st.builds(HangUp) | st.builds(Drop)), *draw(ends)]
    return Script(header=draw(headers), steps=tuple(steps))


@given(scripts())
@example(Script(steps=(Press(digits="#", gap=0.1), Play(file="my voice.wav"))))
@example(Script(header=Header(parameters={"a": "#"}), steps=(Play(file="#.wav"), Hear(prompt="#", spoken=True))))
def test_a_script_that_is_written_reads_the_same(script: Script) -> None:
    assert parse(render(script)) == script


@given(st.text(st.sampled_from('hearkystpiwlgn $#"0123456789.\n')) | st.text())
def test_any_text_is_a_script_or_is_refused(text: str) -> None:
    try:
        read = parse(text)
    except ScriptError:
        return
    assert parse(render(read)) == read


def test_a_caller_who_rings_again_may_do_things_again() -> None:
    assert len(parse("hangup\nagain\nkeys 1\n").steps) == 3


# What befalls a line.

FAULTS = """\
at 3s drop
at 4.5s reconnect
at 5s freeze 2s
at 6s odd late-mark
at 7s service Bank hangs
hangup
"""


def test_faults_stand_in_the_header_with_their_moments() -> None:
    script = parse(FAULTS)

    assert script.header.faults == (
        Fault(at=3.0, step=Drop()),
        Fault(at=4.5, step=Reconnect()),
        Fault(at=5.0, step=Freeze(seconds=2.0)),
        Fault(at=6.0, step=SendOdd(oddity=Oddity.LATE_MARK)),
        Fault(at=7.0, step=Service(name="Bank", way=ServiceWay.HANGS)),
    )
    assert render(script) == FAULTS


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("at 3s keys 1", "'keys' is nothing that befalls a line; there are drop, reconnect"),
        ("at 3s freeze", "a time is missing; write: at TIME freeze TIME"),
        ("at 3s drop now", "'now' is too much; write: at TIME drop"),
        ("at 3s odd passthru-late", "what Exotel asks over HTTP befalls no line; write it as a step"),
        ("at drop", "'drop' is no time; write it like 2s"),
    ],
)
def test_what_befalls_no_line_is_refused_with_the_cure(line: str, words: str) -> None:
    assert words in refusal(f"{line}\nhangup\n")
