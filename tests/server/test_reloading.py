"""Reading the entry again: all of it or nothing, and what is said."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from callflow.errors import SettingsError
from callflow.server import reloading
from callflow.server.entry import Entry, read_entry
from callflow.server.reloading import READ_AGAIN, Reloader
from callflow.server.settings import Settings, load_settings
from tests.certificates import make_certificate
from tests.server.test_admission import House


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    file = tmp_path / "callflow.toml"
    file.write_text("")
    return file


@pytest.fixture
def reloader(toml: Path) -> Reloader:
    """Reads the file again; listens on this machine only."""
    made = reloader_of(Entry(), Settings(), lambda: load_settings({}, {}, toml))
    made.begin(["127.0.0.1"])
    return made


@pytest.fixture
def open_toml(toml: Path) -> None:
    toml.write_text('credentials = ["a:b"]')


def reloader_of(entry: Entry, settings: Settings, reread: Callable[[], Settings] | None = None) -> Reloader:
    return Reloader(House(entry).door, House(Entry()).door, settings, reread)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.message) for record in caplog.records]


def test_what_the_file_says_now_is_in_force(reloader: Reloader, toml: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    toml.write_text('credentials = ["old:one", "new:one"]\nallow = ["203.0.113.0/24"]\n')
    reloader.reload()

    assert reloader.door.entry == read_entry(Settings(credentials=("old:one", "new:one"), allow=("203.0.113.0/24",)))
    assert said(caplog) == [("INFO", "reloaded")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("credentials = [", "not TOML"),
        ('allow = ["203.0.113.1/24"]', "host bits"),
        ('allows = ["203.0.113.1/24"]', "did you mean allow"),
        ("proxy_protocol = true", "name the addresses of the proxies"),
        ('tls_certificate = "absent.pem"', "absent.pem cannot be read"),
    ],
)
def test_what_is_wrong_leaves_all_as_it_was_and_says_why(
    text: str, why: str, reloader: Reloader, toml: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = reloader.door.entry
    toml.write_text(f"{text}\n#")
    reloader.reload()

    assert (reloader.door.entry is before, said(caplog)) == (True, [("ERROR", "reload refused")])
    assert why in vars(caplog.records[0])["error"]


def test_a_file_that_is_gone_leaves_all_as_it_was(reloader: Reloader, toml: Path) -> None:
    before = reloader.door.entry
    toml.unlink()
    reloader.reload()

    assert reloader.door.entry is before


def test_a_password_is_not_in_the_log(reloader: Reloader, toml: Path, caplog: pytest.LogCaptureFixture) -> None:
    toml.write_text('credentials = ["canary"]')
    reloader.reload()

    assert "canary" not in str([vars(record) for record in caplog.records])


def test_what_wants_a_restart_is_named(reloader: Reloader, toml: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    toml.write_text('port = 81\ncredentials = ["a:b"]\nidle = 5\n')
    reloader.reload()

    assert vars(caplog.records[0])["restart_for"] == ["port", "idle"]


def test_the_certificate_is_read_again_also_where_the_settings_stay(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    settings = Settings(tls_certificate=str(files.certificate), tls_key=str(files.key))
    reloader = reloader_of(read_entry(settings), settings)
    before = reloader.door.entry
    reloader.reload()

    assert reloader.door.entry.tls is not before.tls


def test_a_certificate_and_a_key_that_do_not_belong_together_are_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files, other = make_certificate(tmp_path), make_certificate(tmp_path, "other")
    settings = Settings(tls_certificate=str(files.certificate), tls_key=str(files.key))
    reloader = reloader_of(read_entry(settings), settings)
    before = reloader.door.entry
    other.certificate.replace(files.certificate)
    reloader.reload()

    assert (reloader.door.entry is before, "is not the key of" in vars(caplog.records[0])["error"]) == (True, True)


def test_a_certificate_that_exotel_would_refuse_is_doubted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = make_certificate(tmp_path)
    settings = Settings(tls_certificate=str(files.certificate), tls_key=str(files.key))
    reloader_of(read_entry(settings), settings).begin(["127.0.0.1"])

    assert said(caplog) == [("WARNING", "certificate doubtful")]
    assert "self-signed" in vars(caplog.records[0])["reason"]


# Listening for everybody.


def test_an_open_door_is_not_opened_where_others_reach_it() -> None:
    with pytest.raises(SettingsError, match=r"host: 0\.0\.0\.0 can be reached by others"):
        reloader_of(Entry(), Settings()).begin(["0.0.0.0"])


def test_whoever_says_so_may_listen_for_everybody() -> None:
    reloader_of(Entry(), Settings(insecure=True)).begin(["0.0.0.0"])


def test_a_reload_cannot_open_the_door_for_everybody(toml: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(credentials=("a:b",))
    reloader = reloader_of(read_entry(settings), settings, lambda: load_settings({}, {}, toml))
    reloader.begin(["0.0.0.0"])
    before = reloader.door.entry
    reloader.reload()

    assert (reloader.door.entry is before, said(caplog)) == (True, [("ERROR", "reload refused")])


# The signal.


async def hangups(times: int) -> AsyncIterator[int]:
    for _ in range(times):
        yield signal.SIGHUP


@pytest.mark.usefixtures("open_toml")
async def test_each_hangup_reloads(reloader: Reloader) -> None:
    await reloader.run(hangups(1))

    assert reloader.door.entry.credentials is not None


def has(it: bool) -> Callable[[], bool]:
    return lambda: it


@pytest.mark.parametrize(
    ("before", "after", "is_told_to_stop"), [(True, False, True), (True, True, False), (False, False, False)]
)
async def test_a_terminal_that_was_closed_means_to_stop(
    before: bool, after: bool, is_told_to_stop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", told.append)
    monkeypatch.setattr(reloading, "_has_terminal", has(before))
    reloader = reloader_of(Entry(), Settings())
    reloader._had_terminal = before
    monkeypatch.setattr(reloading, "_has_terminal", has(after))
    await reloader.run(hangups(1))

    assert told == [signal.SIGTERM] * is_told_to_stop


def test_what_is_read_again_are_settings() -> None:
    assert [name for name in READ_AGAIN if not hasattr(Settings(), name)] == []
