"""All checks together: their order, and findings that are meant."""

from __future__ import annotations

import pytest

from tests.flow.checks.conftest import HEAD, Judge, places

SAYS = (
    "class Start(State[None], timeout=5.0):{line}\n    said: list[str] = []\n    async def run(self, call: C) -> Bye:\n"
    "        {above}\n        open('f'){here}\n        return Bye()\n"
    "    def on_timeout(self, call: C) -> Bye: ...\nflow = Flow('flow', start=Start)\n"
)


def module(here: str = "", above: str = "pass", line: str = "") -> str:
    return HEAD + SAYS.format(here=here, above=above, line=line)


BOTH = [(11, "shared-default"), (15, "blocking-call")]


def test_findings_stand_in_the_order_of_their_lines(judge: Judge) -> None:
    found = judge(module())

    assert [(one.line, one.check) for one in found] == BOTH


@pytest.mark.parametrize(
    "code",
    [
        module("  # callflow: ok[blocking-call] one small file"),
        module("  #callflow:ok[ dead-state, blocking-call ] one small file"),
        module(above="# callflow: ok[blocking-call] one small file"),
    ],
)
def test_a_finding_that_is_meant_is_not_told(code: str, judge: Judge) -> None:
    assert places(judge(code)) == BOTH[:1]


@pytest.mark.parametrize(
    "comment", ["# callflow: ok", "# callflow: ok[blocking-call]", "# callflow: ok one small file"]
)
def test_an_excuse_without_a_check_or_a_reason_counts_for_nothing(comment: str, judge: Judge) -> None:
    assert places(judge(module(f"  {comment}"))) == [BOTH[0], (15, "bare-ok"), BOTH[1]]


def test_an_excuse_for_nothing_is_found(judge: Judge) -> None:
    found = judge(module("  # callflow: ok[asyncio, dead-state] why"))

    assert [(one.line, one.mistake) for one in found if one.check == "unused-ok"] == [
        (15, "nothing is found here of asyncio, dead-state")
    ]


def test_a_text_that_looks_like_an_excuse_is_none(judge: Judge) -> None:
    assert places(judge(module(above='print("# callflow: ok")'))) == BOTH


def test_a_class_line_is_excused_like_any_other(judge: Judge) -> None:
    assert places(judge(module(line="  # callflow: ok[shared-default] nobody writes to it"))) == BOTH[1:]
