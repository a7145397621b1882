"""``callflow serve``: which settings count, what is announced, and what the process may have."""

from __future__ import annotations

import logging
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from callflow import Flow, Hangup, SettingsError
from callflow.cli import serve as serving
from callflow.cli.serve import (
    SPARE_DESCRIPTORS,
    allow_descriptors,
    announce,
    fitted,
    public_urls,
    serve,
    what_to_enter,
)
from callflow.server.flow_argument import NoSuchFlow
from callflow.server.settings import Settings

FLOW = "from callflow import Flow, Hangup\nclass Bye(Hangup[None]): ...\nbank = Flow('bank', start=Bye)\n"


class Bye(Hangup[None]):
    """The end."""


bank = Flow("bank", start=Bye)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a flow, where the command is run; the log is shown as before behind the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "line_of_this_test.py").write_text(FLOW)
    library = logging.getLogger("callflow")
    handlers, level = [*library.handlers], library.level
    yield tmp_path
    library.handlers[:] = handlers
    library.setLevel(level)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Settings, object]]:
    """What the command would serve, in place of serving it."""
    asked: list[tuple[str, Settings, object]] = []

    async def note(flows: list[Flow[Any]], settings: Settings, announced: Callable[..., None], **_: object) -> int:
        asked.append((" ".join(flow.name for flow in flows), settings, announced))
        return 7

    monkeypatch.setattr(serving, "answer", note)
    return asked


Served = list[tuple[str, Settings, object]]


# Settings.


async def test_a_flow_is_served_with_standard_settings_and_announced(served: Served) -> None:
    code = await serve("line_of_this_test.py")

    assert (code, served) == (7, [("bank", Settings(), announce)])


async def test_every_flag_is_a_setting(served: Served) -> None:
    await serve(
        "line_of_this_test.py",
        host="0.0.0.0",
        port=81,
        tls_certificate="a.pem",
        tls_key="b.pem",
        insecure=True,
        reuse_port=True,
        admin="9100",
        codec="mulaw",
        low_latency=True,
        drain_delay=2.0,
        drain=3.0,
        call_limit=60.0,
        feed=True,
    )

    [(_, settings, _)] = served
    assert settings == Settings(
        host="0.0.0.0",
        port=81,
        tls_certificate="a.pem",
        tls_key="b.pem",
        insecure=True,
        reuse_port=True,
        admin="9100",
        codec="mulaw",
        low_latency=True,
        drain_delay=2.0,
        drain=3.0,
        call_limit=60.0,
        feed=True,
    )


async def test_flags_win_over_variables_and_variables_over_the_file_of_the_folder(
    served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "callflow.toml").write_text("port = 1\nidle = 2\ndrain = 3\n")
    monkeypatch.setenv("CALLFLOW_PORT", "11")
    monkeypatch.setenv("CALLFLOW_IDLE", "12")
    await serve("line_of_this_test.py", port=111)

    [(_, settings, _)] = served
    assert (settings.port, settings.idle, settings.drain) == (111, 12.0, 3.0)


async def test_a_file_that_is_named_is_read_in_place_of_the_folders(served: Served, folder: Path) -> None:
    (folder / "callflow.toml").write_text("port = 1\n")
    (folder / "other.toml").write_text("idle = 2\n")
    await serve("line_of_this_test.py", config=Path("other.toml"))

    [(_, settings, _)] = served
    assert settings == Settings(idle=2.0)


async def test_a_wrong_setting_is_told_before_the_flow_is_looked_for(served: Served) -> None:
    with pytest.raises(SettingsError, match=r"codec: .*--codec"):
        await serve("absent.py", codec="opus")

    assert served == []


@pytest.mark.parametrize(("verbose", "level"), [(False, logging.INFO), (True, logging.DEBUG)])
async def test_the_log_is_shown(served: Served, verbose: bool, level: int) -> None:
    await serve("line_of_this_test.py", verbose=verbose)

    library = logging.getLogger("callflow")
    assert (library.level, len(library.handlers)) == (level, 1)


async def test_several_flows_are_served_together(served: Served, folder: Path) -> None:
    (folder / "second_line_of_this_test.py").write_text(FLOW.replace("'bank'", "'shop'"))
    await serve("line_of_this_test.py", "second_line_of_this_test.py")

    assert served[0][0] == "bank shop"


# What is announced.


def test_of_several_flows_each_is_announced_with_its_paths() -> None:
    told = what_to_enter([bank, Flow("shop", start=Bye)], Settings(), 8080)

    assert [told.count(path) for path in ("/stream/bank", "/stream/shop", "/passthru/bank", "/passthru/shop")] == [
        2,
        2,
        1,
        1,
    ]


def test_a_person_is_told_how_to_call_and_what_to_enter(capsys: pytest.CaptureFixture[str]) -> None:
    announce([bank], Settings(), 8080)

    assert capsys.readouterr().out == (
        "\n"
        "  bank   1 states, 0 moves\n"
        "\n"
        "  Call it      callflow call SCRIPT --url ws://127.0.0.1:8080/stream\n"
        "  At Exotel    Voicebot applet, URL   wss://YOUR.HOST/stream\n"
        "               Passthru applet, URL   https://YOUR.HOST/passthru\n"
        "  Ctrl-C stops: no new calls, running ones may end.\n"
        "\n"
    )


def test_where_nobody_reads_what_is_announced_it_is_not_said_and_nothing_else_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, sink = os.pipe()
    os.close(source)
    with open(sink, "w") as output:  # noqa: PTH123  # a descriptor has no path
        monkeypatch.setattr(sys, "stdout", output)
        announce([bank], Settings(), 8080)

        assert output.write("more") == 4  # and closing it raises nothing


def test_an_address_of_the_sixth_version_stands_in_brackets() -> None:
    assert "--url ws://[::1]:81/stream" in what_to_enter([bank], Settings(host="::1"), 81)


@pytest.mark.parametrize(
    ("public_url", "stream", "passthru"),
    [
        ("wss://calls.example.com", "wss://calls.example.com/stream", "https://calls.example.com/passthru"),
        ("https://calls.example.com/", "wss://calls.example.com/stream", "https://calls.example.com/passthru"),
        ("ws://10.0.0.1:81", "ws://10.0.0.1:81/stream", "http://10.0.0.1:81/passthru"),
        ("http://news.example", "ws://news.example/stream", "http://news.example/passthru"),
        ("wss://http.example/ivr", "wss://http.example/ivr/stream", "https://http.example/ivr/passthru"),
    ],
)
def test_what_to_enter_follows_the_public_address(public_url: str, stream: str, passthru: str) -> None:
    assert public_urls(Settings(public_url=public_url)) == (stream, passthru)


# What the process may have.

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "allowed"),
    [
        (1_024, 4_096, 2_000 + SPARE_DESCRIPTORS),
        (1_024, UNLIMITED, 2_000 + SPARE_DESCRIPTORS),
        (1_024, 1_500, 1_500),
        (4_096, 4_096, None),
        (UNLIMITED, UNLIMITED, None),
    ],
)
def test_descriptors_are_allowed_for_every_connection_as_far_as_the_system_lets(
    soft: int, hard: int, allowed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))

    fits = allow_descriptors(2_000)

    assert limits == ([] if allowed is None else [(allowed, hard)])
    assert fits == min(2_000, (allowed or 10_000) - SPARE_DESCRIPTORS)


def test_a_system_with_few_descriptors_lowers_the_limit_and_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 100))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: None)

    settings = fitted(Settings())

    assert (settings.max_sockets, [record.getMessage() for record in caplog.records]) == (36, ["few descriptors"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import callflow\n1 / 0\n", "broken.py:2: ZeroDivisionError: division by zero; python "),
        ("import not_installed_anywhere\n", "broken.py:1: ModuleNotFoundError: "),
        ("def f(:\n", "SyntaxError: "),
        ("raise SystemExit(3)\n", "put what runs the program below: if __name__"),
    ],
)
async def test_a_module_that_raises_is_told_in_one_line(folder: Path, text: str, said: str) -> None:
    (folder / "broken.py").write_text(text)

    with pytest.raises(NoSuchFlow) as refused:
        await serve("broken.py")

    assert (said in str(refused.value), "\n" in str(refused.value)) == (True, False)
