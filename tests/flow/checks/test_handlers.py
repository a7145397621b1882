"""Code that calls run: what blocks all calls, what is not awaited, and what cannot be cancelled, each at its line."""

from __future__ import annotations

import textwrap

import pytest

from tests.flow.checks.conftest import HEAD, Judge, marked, places

LOOK_UP = """
{top}
class Start(State[None], timeout=5.0):
    async def run(self, call: C) -> Bye:
{body}
        return Bye()
{methods}
    def on_timeout(self, call: C) -> Bye:
        return Bye()

flow = Flow("flow", start=Start{options})
"""


def module(body: str = "pass", top: str = "", methods: str = "", options: str = "") -> str:
    """Write a module with one script."""
    return HEAD + LOOK_UP.format(
        top=textwrap.dedent(top),
        body=textwrap.indent(textwrap.dedent(body), " " * 8),
        methods=textwrap.indent(textwrap.dedent(methods), " " * 4),
        options=options,
    )


BLOCKS = {
    "a sleep": module("import time\ntime.sleep(1)  # finds: blocking-call"),
    "a sleep under another name": module("pause(1)  # finds: blocking-call", "from time import sleep as pause"),
    "an import inside": module("from time import sleep as nap\nnap(1)  # finds: blocking-call"),
    "a file": module("open('f').read()  # finds: blocking-call"),
    "a path": module("Path('f').read_text()  # finds: blocking-call", "from pathlib import Path"),
    "a path that is a constant": module(
        "FILE.write_text('x')  # finds: blocking-call", "from pathlib import Path\nFILE = Path('f')"
    ),
    "a question to nobody": module("input()  # finds: blocking-call"),
    "a program": module("subprocess.run(['ls'], check=True)  # finds: blocking-call", "import subprocess"),
    "a shell": module("system('ls')  # finds: blocking-call", "from os import system"),
    "a host's address": module("socket.gethostbyname('host')  # finds: blocking-call", "import socket"),
    "a web page": module(
        "with urllib.request.urlopen('http://host') as page:  # finds: blocking-call\n    page.read()",
        "import urllib.request",
    ),
    "a client that may not be installed": module("import requests\nrequests.get('x')  # finds: blocking-call"),
    "a client that may not be installed, in part": module(
        "from requests import Session\nSession()  # finds: blocking-call"
    ),
    "a database": module("sqlite3.connect('f')  # finds: blocking-call", "import sqlite3"),
    "a database that was opened before": module(
        "DB.execute('SELECT 1')  # finds: blocking-call",
        "import sqlite3\nDB = sqlite3.connect(':memory:', check_same_thread=False)\nDB.close()",
    ),
    "another run of Trio": module("trio.run(trio.sleep, 1)  # finds: blocking-call"),
    "asyncio": module("await asyncio.sleep(1)  # finds: asyncio", "import asyncio"),
    "a call deep inside": module(
        "for _ in range(3):\n    if call.caller:\n        print(open('f'))  # finds: blocking-call"
    ),
    "a function of the module": module("look()", "def look() -> None:\n    open('f')  # finds: blocking-call"),
    "an async function of the module": module(
        "await look()", "async def look() -> None:\n    open('f')  # finds: blocking-call"
    ),
    "a method of the state": module(
        "self.look()", methods="def look(self) -> None:\n    open('f')  # finds: blocking-call"
    ),
    "a handler": module(methods="def on_dtmf(self, call, key) -> None:\n    open('f')  # finds: blocking-call"),
    "an activity": module(
        methods="@activity\nasync def watch(self, call) -> None:\n    open('f')  # finds: blocking-call"
    ),
    "what makes a prompt": HEAD + "class Start(Say[None]):\n    def prompt_for(self, call):\n"
    "        open('f')  # finds: blocking-call\n        return 'menu.wav'\n"
    "    def then(self, call: C) -> Bye: ...\nflow = Flow('flow', start=Start)\n",
    "a state in a sub-flow": HEAD + "class Inner(Say[None], prompt='menu.wav'):\n"
    "    def then(self, call: C) -> Done[int]:\n        open('f')  # finds: blocking-call\n        return Done(1)\n"
    "class Start(SubFlow[None, int], start=Inner):\n    def on_done(self, call: C, result: int) -> Bye: ...\n"
    "flow = Flow('flow', start=Start)\n",
    "a handler behind a decorator": module(
        top="import functools\ndef logged(handler):\n    @functools.wraps(handler)\n"
        "    def log(self, call, key):\n        return handler(self, call, key)\n    return log",
        methods="@logged\ndef on_dtmf(self, call, key) -> None:\n    open('f')  # finds: blocking-call",
    ),
    "what says where a stream goes": module(
        top="def place(report):\n    open('f')  # finds: blocking-call\n    return StreamTo('flow')",
        options=", stream_url=place",
    ),
    "a service": module(
        top="class Bank:\n    async def ask(self) -> None:\n        open('f')  # finds: blocking-call",
        options=", provide=[Bank()]",
    ),
    "what answers a Passthru": module(
        top="def judge(report):\n    open('f')  # finds: blocking-call\n    return Verdict(200)",
        options=", passthru=judge",
    ),
}

WAITS_WELL = {
    "Trio's sleep": module("await trio.sleep(1)"),
    "a function that a thread calls": module("await trio.to_thread.run_sync(time.sleep, 1)", "import time"),
    "a lambda that a thread calls": module("await trio.to_thread.run_sync(lambda: open('f'))"),
    "a function inside that a thread calls": module(
        "def look() -> None:\n    open('f')\nawait trio.to_thread.run_sync(look)"
    ),
    "a name that is given a value here": module("open = print\nopen('f')"),
    "a parameter of that name": module("look(print)", "def look(open) -> None:\n    open('f')"),
    "a name of the module's own": module("sleep(1)", "def sleep(seconds) -> None: ..."),
    "a path that is not read": module("Path('f').with_suffix('.wav')", "from pathlib import Path"),
    "a file that is read once, at import": module(
        "print(TEXT)", "from pathlib import Path\nTEXT = Path(__file__).read_text()"
    ),
    "a part of asyncio that needs no loop": module("asyncio.iscoroutinefunction(print)", "import asyncio"),
    "a method of a service that is not async": module(
        top="class Bank:\n    def ask(self) -> None:\n        open('f')", options=", provide=[Bank()]"
    ),
    "a helper of a helper": module("one()", "def one() -> None:\n    two()\ndef two() -> None:\n    open('f')"),
    "a call of what cannot be told": module("(print if call.caller else open)('f')\ncall.data.sleep(1)"),
    "a function of a library": module("textwrap.dedent('x')", "import textwrap"),
}

AWAITS = {
    "a prompt": module("call.play('menu.wav')  # finds: missing-await"),
    "a prompt in a handler": module(
        methods="def on_dtmf(self, call: C, key: Dtmf) -> None:\n    call.play('menu.wav')  # finds: missing-await"
    ),
    "a sleep": module("trio.sleep(1)  # finds: missing-await"),
    "an async method": module("self.look()  # finds: missing-await", methods="async def look(self) -> None: ..."),
    "awaited": module("await call.play('menu.wav')\nplayback = call.start('menu.wav')\nawait playback.heard()"),
    "handed on": module("async with trio.open_nursery() as nursery:\n    nursery.start_soon(trio.sleep, 1)"),
}

CANCELS = {
    "everything": module("try:\n    await trio.sleep(1)\nexcept:  # finds: swallowed-cancel\n    pass"),
    "the base of all": module(
        "try:\n    await trio.sleep(1)\nexcept (ValueError, BaseException):  # finds: swallowed-cancel\n    pass"
    ),
    "the cancellation itself": module(
        "try:\n    async with trio.Lock():\n        ...\nexcept trio.Cancelled:  # finds: swallowed-cancel\n    ..."
    ),
    "raised again": module("try:\n    await trio.sleep(1)\nexcept BaseException:\n    print()\n    raise"),
    "an error": module("try:\n    await trio.sleep(1)\nexcept Exception:\n    pass"),
    "nothing that waits": module("try:\n    print()\nexcept:\n    pass"),
}


@pytest.mark.parametrize("code", [*BLOCKS.values(), *WAITS_WELL.values()], ids=[*BLOCKS, *WAITS_WELL])
def test_what_blocks_is_found_at_its_line_and_nothing_else_is(code: str, judge: Judge) -> None:
    assert places(judge(code)) == marked(code)


@pytest.mark.parametrize("code", AWAITS.values(), ids=AWAITS)
def test_a_call_that_has_to_be_awaited_does_not_stand_alone(code: str, judge: Judge) -> None:
    assert places(judge(code)) == marked(code)


@pytest.mark.parametrize("code", CANCELS.values(), ids=CANCELS)
def test_a_script_that_cannot_be_cancelled_is_found(code: str, judge: Judge) -> None:
    assert places(judge(code)) == marked(code)


def test_a_handler_that_several_states_inherit_is_found_once(judge: Judge) -> None:
    code = HEAD + (
        "class Base(State[None], timeout=5.0):\n    def on_timeout(self, call: C) -> Other | Bye:\n"
        "        open('f')  # finds: blocking-call\n        return Bye()\n"
        "class Start(Base): ...\nclass Other(Base): ...\nflow = Flow('flow', start=Start)\n"
    )

    assert len(judge(code)) == 1


@pytest.mark.parametrize(
    ("code", "where", "mistake", "cure"),
    [
        (
            BLOCKS["a function of the module"],
            "Start.run",
            "calls look, which calls open, and every call waits meanwhile",
            "await trio.open_file(…) in run, or read it when the module is imported",
        ),
        (
            BLOCKS["a service"],
            "Bank.ask",
            "calls open, and every call waits meanwhile",
            "await trio.open_file(…) in run, or read it when the module is imported",
        ),
        (
            BLOCKS["asyncio"],
            "Start.run",
            "calls asyncio.sleep, and there is no loop of asyncio",
            "use Trio's twin of it: calls run under Trio",
        ),
        (
            AWAITS["a prompt"],
            "Start.run",
            "call.play(…) does nothing without await",
            "write await call.play(…), in run; call.start(…) plays without waiting",
        ),
        (
            CANCELS["everything"],
            "Start.run",
            "catches trio.Cancelled as well, so that the state cannot be left while it runs",
            "catch what you expect, or end with raise",
        ),
    ],
)
def test_a_finding_says_what_is_wrong_and_what_to_do(
    code: str, where: str, mistake: str, cure: str, judge: Judge
) -> None:
    [found] = judge(code)

    assert (found.where, found.mistake, found.cure) == (where, mistake, cure)
