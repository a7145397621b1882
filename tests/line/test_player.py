"""Scripts are played as written, and the line that does not hold is named with what came instead."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
import trio

from callflow.errors import AudioError, ScriptError
from callflow.line.player import open_player
from callflow.line.recognise import Recogniser
from callflow.line.script import parse
from tests.line.lines import (
    BALANCE,
    MENU,
    PCM,
    PROMPTS,
    THOUSAND,
    TWELVE,
    WELCOME,
    Line,
    States,
    bank,
    bank_without_menu,
    failure,
    play,
    silent_bot,
    sound,
)

# Hearing.


async def test_a_prompt_is_heard_when_it_has_begun(autojump_clock: trio.testing.MockClock) -> None:
    result = await play("hear welcome\n")

    assert (result.failure, 0.1 <= result.outcomes[0].end < 0.2) == ("", True)


async def test_words_are_heard_in_whatever_prompt_says_them(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure('hear "to the BANK"\nhear "press 1 or 2"\n') == ""


async def test_words_are_heard_across_the_parts_of_a_number(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure('hear welcome\nkeys 1\nhear "balance is twelve thousand"\n') == ""


async def test_words_that_are_not_said_together_are_not_heard(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure('hear "balance welcome"\n') != ""


async def test_a_prompt_is_heard_to_its_end(autojump_clock: trio.testing.MockClock) -> None:
    result = await play("hear welcome complete\n")

    assert (result.failure, 2.0 <= result.outcomes[0].end < 2.1) == ("", True)


async def test_so_much_of_a_prompt_is_heard(autojump_clock: trio.testing.MockClock) -> None:
    result = await play("hear welcome for 1.2s\n")

    assert (result.failure, 1.2 <= result.outcomes[0].end < 1.3) == ("", True)


async def test_a_prompt_that_is_too_short_is_not_heard_for_so_long(autojump_clock: trio.testing.MockClock) -> None:
    assert (await failure("hear welcome for 2.5s within 3s\n")).startswith(
        'bank.call:1: expected to hear "welcome" for 2.5 s within 3 s; heard "welcome" at 0.0 s'
    )


async def test_a_prompt_that_a_key_stopped_is_heard_cut(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("hear welcome\nkeys 1\nhear welcome cut\nhear balance_is\n") == ""


async def test_a_prompt_that_nothing_stopped_is_not_cut(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("hear welcome cut within 4s\n") == (
        'bank.call:1: expected to hear "welcome" cut off within 4 s; heard "welcome" at 0.0 s, "menu" at 2.0 s, '
        "and it goes on"
    )


async def test_what_came_instead_is_told_with_its_moment(autojump_clock: trio.testing.MockClock) -> None:
    async def slow(line: Line) -> None:
        await trio.sleep(4.1)
        await line.say(TWELVE.pcm)
        await trio.sleep_forever()

    assert await failure("# a bank\n\nhear balance_is within 6s\n", slow) == (
        'bank.call:3: expected to hear "balance_is" within 6 s; heard "twelve" at 4.1 s, then nothing'
    )


async def test_silence_instead_of_a_prompt_is_told(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("hear welcome\n", silent_bot) == (
        'bank.call:1: expected to hear "welcome" within 10 s; heard nothing'
    )


async def test_unknown_sound_instead_of_a_prompt_is_told(autojump_clock: trio.testing.MockClock) -> None:
    async def stranger(line: Line) -> None:
        await line.say(sound(99, 1.2))
        await trio.sleep_forever()

    assert (await failure("hear welcome within 3s\n", stranger)).endswith(
        "heard unrecognised, 1.2 s at 0.0 s, then nothing"
    )


async def test_an_end_instead_of_a_prompt_is_told_at_once(autojump_clock: trio.testing.MockClock) -> None:
    result = await play("hear thousand complete\nhear welcome\n", bank_without_menu)

    assert (result.failure, result.outcomes[1].end - result.outcomes[1].start < 1) == (
        'bank.call:2: expected to hear "welcome" within 10 s; the call was ended by the server, code 1000',
        True,
    )


async def test_a_prompt_heard_once_is_not_heard_twice(autojump_clock: trio.testing.MockClock) -> None:
    assert "hear" in await failure("hear welcome\nhear welcome within 4s\n")


async def test_a_prompt_from_before_the_key_does_not_count_after_it(autojump_clock: trio.testing.MockClock) -> None:
    script = "wait 3s\nkeys 1\nhear welcome within 1s\n"

    assert await failure(script) != ""


# Step by step.


async def test_steps_are_taken_one_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    line = Line()
    hear, press, other = parse("hear welcome\nkeys 1\nhear menu within 1s\n").steps
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.hear)
        nursery.start_soon(bank, line)
        async with open_player(line, recogniser=Recogniser(PROMPTS, PCM), answers={}, sounds={}) as player:
            outcomes = [await player.take(step) for step in (hear, press, other)]
        nursery.cancel_scope.cancel()

    heard = player.conversation.heard
    assert ([outcome.held for outcome in outcomes], heard[0].name, heard[0].cut) == (
        [True, True, False],
        "welcome",
        True,
    )


# Acting.


async def test_trouble_is_made_on_the_line_in_the_order_of_the_script(autojump_clock: trio.testing.MockClock) -> None:
    line = Line()
    steps = parse("odd no-json\nodd binary\ndeaf\n").steps
    async with open_player(line, recogniser=Recogniser(PROMPTS, PCM), answers={}, sounds={}) as player:
        outcomes = [await player.take(step) for step in steps]

    assert line.lines == ["no-json", "binary", "deaf"]
    assert [deed.step for deed in player.conversation.deeds] == [outcome.step for outcome in outcomes]


@pytest.mark.parametrize("step", ["service Bank hangs", "again"])
async def test_what_needs_the_flow_at_hand_is_refused_with_the_cure(
    step: str, autojump_clock: trio.testing.MockClock
) -> None:
    assert await failure(f"{step}\n") == (
        f"bank.call:1: expected that this can be done: {step}; "
        "that is for a script that brings its flow along; play it by callflow replay"
    )


async def test_keys_reach_the_bot_in_order(autojump_clock: trio.testing.MockClock) -> None:
    got: list[str] = []

    async def listen(line: Line) -> None:
        while True:
            got.append(await line.key())

    await play("keys 12#\ntype 40 gap 0.5s\nwait 1s\n", listen)

    assert got == ["1", "2", "#", "4", "0"]


async def test_the_tones_of_shown_keys_are_kept_with_their_moments(autojump_clock: trio.testing.MockClock) -> None:
    result = await play("wait 1s\nkeys 12\ntype 3\n", silent_bot)

    tones = [(tone.key, round(tone.start, 2)) for tone in result.conversation.tones]
    assert tones == [("1", 1.0), ("2", 1.3), ("3", 1.4)]


async def test_a_secret_entry_reaches_the_bot_and_leaves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    got: list[str] = []

    async def listen(line: Line) -> None:
        while True:
            got.append(await line.key())

    result = await play("type $pin\nwait 1s\n", listen, answers={"pin": "4929"})

    assert ("".join(got), result.conversation.tones, "4929" in repr(result)) == ("4929", [], False)


async def test_keys_after_the_end_do_not_hold(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("hear thousand complete\nended\nkeys 1\n", bank_without_menu) == (
        "bank.call:3: expected that this can be done: keys 1; the call was ended by the server, code 1000"
    )


async def test_tones_that_were_not_pressed_any_more_are_not_kept(autojump_clock: trio.testing.MockClock) -> None:
    async def leave(line: Line) -> None:
        await trio.sleep(0.5)
        line.close()

    result = await play("keys 123456\n", leave)

    assert [tone.key for tone in result.conversation.tones] == ["1", "2"]


async def test_a_missing_answer_is_refused_before_the_first_step(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.RaisesGroup(
        pytest.RaisesExc(ScriptError, match=r"bank.call:2: nobody knows \$pin; give --answer pin=")
    ):
        await play("keys 1\ntype $pin\n")


async def test_an_answer_that_is_no_keys_is_refused_without_showing_it(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(ScriptError)) as refused:
        await play("type $pin\n", answers={"pin": "49x9"})

    assert "49" not in str(refused.value.exceptions[0])


async def test_the_caller_says_what_is_in_a_file_beside_the_script(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with wave.open(str(tmp_path / "hello.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(MENU.pcm)
    said: list[bytes] = []

    async def listen(line: Line) -> None:
        await trio.sleep(5.0)
        said.extend(line.said)

    await play("play hello.wav\nwait 3s\n", listen, path=tmp_path / "bank.call")

    assert said == [MENU.pcm]


async def test_a_file_that_is_not_there_is_named(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(AudioError, match="nowhere.wav.*no such file")):
        await play("play nowhere.wav\n")


async def test_the_caller_hangs_up_at_the_end_of_the_script(autojump_clock: trio.testing.MockClock) -> None:
    result = await play("wait 1s\n", silent_bot)

    assert [type(deed.step).__name__ for deed in result.conversation.deeds] == ["HangUp"]


async def test_hanging_up_on_who_has_hung_up_holds(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("hear thousand complete\nwait 1s\nhangup\n", bank_without_menu) == ""


# Silence.


async def test_the_bot_is_quiet_in_time_after_a_key(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("hear welcome\nkeys 1\nquiet within 0.4s of keys\n") == ""


async def test_a_bot_that_talks_on_is_told_with_how_long(autojump_clock: trio.testing.MockClock) -> None:
    async def stubborn(line: Line) -> None:
        await line.say(WELCOME.pcm, barge_in=False)
        await trio.sleep_forever()

    assert await failure("hear welcome\nkeys 1\nquiet within 0.3s\n", stubborn) == (
        "bank.call:3: expected silence within 0.3 s; the bot was still heard after 0.32 s"
    )


async def test_the_parts_of_a_number_are_one_voice(autojump_clock: trio.testing.MockClock) -> None:
    script = "hear twelve\nkeys 1\nquiet within 0.5s\n"

    async def stubborn(line: Line) -> None:
        await line.say(BALANCE.pcm, TWELVE.pcm, THOUSAND.pcm, barge_in=False)

    assert "still heard" in await failure(script, stubborn)


async def test_an_answer_that_follows_at_once_is_not_the_old_voice(autojump_clock: trio.testing.MockClock) -> None:
    async def quick(line: Line) -> None:
        await line.say(WELCOME.pcm)
        await line.say(MENU.pcm)

    assert await failure("hear welcome\nkeys 1\nquiet within 0.4s\nhear menu\n", quick) == ""


async def test_who_was_not_talking_is_quiet(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("keys 1\nquiet within 0.1s\n", silent_bot) == ""


# States, the end, and what comes after it.


async def test_states_are_followed_in_order_and_may_be_left_out(autojump_clock: trio.testing.MockClock) -> None:
    def states() -> States:
        return States((0.1, "Welcome"), (0.4, "AskPin"), (1.0, "Menu"))

    assert await failure("state Welcome\nstate Menu within 2s\n", silent_bot, states=states) == ""


async def test_a_state_that_was_passed_does_not_come_again(autojump_clock: trio.testing.MockClock) -> None:
    def states() -> States:
        return States((0.1, "Welcome"), (0.4, "Menu"), (0.9, "Bye"))

    assert await failure("state Menu\nstate Welcome\n", silent_bot, states=states) == (
        "bank.call:2: expected state Welcome within 5 s; the flow entered Bye"
    )


async def test_no_feed_is_told(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("state Menu\n", silent_bot) == (
        "bank.call:1: expected state Menu within 5 s; no event feed tells the states of this server"
    )


async def test_a_feed_that_cannot_tell_says_why_at_once(autojump_clock: trio.testing.MockClock) -> None:
    result = await play("state Menu\n", silent_bot, states=lambda: States(problem="404: it is not callflow"))

    assert (result.outcomes[0].came, result.outcomes[0].end < 0.1) == ("404: it is not callflow", True)


async def test_the_flow_ends_the_call(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("hear thousand\nended by flow within 2s\n", bank_without_menu) == ""


async def test_a_call_that_broke_was_not_ended_by_the_flow(autojump_clock: trio.testing.MockClock) -> None:
    async def break_off(line: Line) -> None:
        line.close(1011)

    assert await failure("ended by flow\n", break_off) == (
        "bank.call:1: expected the end of the call by the flow within 10 s; the call was ended by the server, code 1011"
    )


async def test_a_call_that_goes_on_has_not_ended(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("ended within 1s\n", silent_bot) == (
        "bank.call:1: expected the end of the call within 1 s; the call goes on"
    )


async def test_who_hung_up_ended_the_call(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("hangup\nended by caller\n", silent_bot) == ""


async def test_a_lost_line_is_not_the_caller_s_end(autojump_clock: trio.testing.MockClock) -> None:
    assert await failure("drop\nended by caller\n", silent_bot) != ""


@pytest.mark.parametrize(
    ("status", "came"), [(302, ""), (200, "the Passthru was answered 200"), (0, "the Passthru was not answered")]
)
async def test_the_branch_is_what_the_passthru_answers(
    autojump_clock: trio.testing.MockClock, status: int, came: str
) -> None:
    result = await play("hangup\nbranch B\n", silent_bot, status=status)

    assert result.outcomes[-1].came == came


@pytest.mark.parametrize(("chosen", "came"), [("sales", ""), ("support", "the Passthru was answered 200")])
async def test_of_a_branch_with_a_name_its_own_passthru_is_asked(
    chosen: str, came: str, autojump_clock: trio.testing.MockClock
) -> None:
    result = await play("hangup\nbranch sales\n", silent_bot, status=302, chosen=chosen)

    assert result.outcomes[-1].came == came


async def test_a_branch_without_a_passthru_does_not_hold(autojump_clock: trio.testing.MockClock) -> None:
    assert "no Passthru" in await failure("hangup\nbranch B\n", silent_bot)


# The whole.


async def test_the_steps_after_the_one_that_fails_are_not_taken(autojump_clock: trio.testing.MockClock) -> None:
    result = await play("hear welcome\nhear twelve within 1s\nkeys 1\nhear menu\n")

    assert (len(result.outcomes), result.holding, result.expectations) == (2, 1, 3)


async def test_whoever_watches_is_told_everything_in_the_end(autojump_clock: trio.testing.MockClock) -> None:
    settled: list[float] = []

    await play("hear welcome\n", watch=lambda conversation: settled.append(conversation.settled))

    assert (settled == sorted(settled), settled[-1]) == (True, float("inf"))


async def test_the_same_script_gives_the_same_result(autojump_clock: trio.testing.MockClock) -> None:
    script = "hear welcome\nkeys 1\nquiet within 0.4s\nhear thousand complete\nended by flow\n"

    first, second = await play(script), await play(script)

    assert [round(outcome.end, 6) for outcome in first.outcomes] == [round(each.end, 6) for each in second.outcomes]
