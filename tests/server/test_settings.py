"""Settings: which source wins, and that every error names the key, its source and the cure."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from callflow.errors import SettingsError
from callflow.server.credentials import Credentials
from callflow.server.limits import Limits
from callflow.server.settings import Settings, load_settings


def write(folder: Path, text: str) -> Path:
    path = folder / "callflow.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_set_gives_the_defaults() -> None:
    assert load_settings({}, {}) == Settings()


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "port = 1\nhost = 'file'\ncodec = 'mulaw'\n")

    settings = load_settings({"port": 3, "host": None}, {"CALLFLOW_PORT": "2", "CALLFLOW_HOST": "environment"}, file)

    assert (settings.port, settings.host, settings.codec) == (3, "environment", "mulaw")


@pytest.mark.parametrize("key", ["allow", "proxies"])
def test_a_network_that_is_none_is_refused_where_it_stands(tmp_path: Path, key: str) -> None:
    file = write(tmp_path, f"port = 1\n{key} = ['10.0.0.0/8', '203.0.113.1/24']\n")

    with pytest.raises(SettingsError, match=rf"^{key}: 203.0.113.1/24 has host bits set.*callflow.toml:2\); write "):
        load_settings({}, {}, file)


def test_text_from_the_environment_is_converted() -> None:
    environ = {
        "CALLFLOW_PORT": "0",
        "CALLFLOW_LOW_LATENCY": "true",
        "CALLFLOW_DRAIN": "2.5",
        "CALLFLOW_MAX_CALLS": "7",
        "CALLFLOW_CREDENTIALS": "a:b  c:d",
        "CALLFLOW_PASSTHRU_FALLBACK": "302",
    }

    assert load_settings({}, environ) == Settings(
        port=0, low_latency=True, drain=2.5, max_calls=7, credentials=("a:b", "c:d"), passthru_fallback=302
    )


def test_a_file_may_set_everything(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "host = '::'\nport = 80\ncredentials = ['a:b c']\npublic_url = 'wss://calls.example.com'\nlow_latency = true\n"
        "drain = 0\nmax_calls = 3\norigins = ['https://calls.example.com']\nfeed = true\n",
    )

    assert load_settings({}, {}, file) == Settings(
        host="::",
        port=80,
        credentials=("a:b c",),
        public_url="wss://calls.example.com",
        low_latency=True,
        drain=0.0,
        max_calls=3,
        origins=("https://calls.example.com",),
        feed=True,
    )


def test_an_empty_variable_sets_nothing() -> None:
    assert load_settings({}, {"CALLFLOW_PORT": ""}) == Settings()


def test_variables_of_other_tools_are_left_alone() -> None:
    assert (
        load_settings({}, {"CALLFLOW_CMD": "x", "CALLFLOW_PATH": "/stream", "PORT": "x", "callflow_port": "x"})
        == Settings()
    )


WRONG: dict[str, tuple[str, str, str]] = {
    "no number": (
        "CALLFLOW_PORT",
        "eighty",
        "port: expected int, got str, found 'eighty' (CALLFLOW_PORT); write a number",
    ),
    "a port too high": (
        "CALLFLOW_PORT",
        "65536",
        "port: expected int <= 65535, found '65536' (CALLFLOW_PORT); write a",
    ),
    "no truth": (
        "CALLFLOW_FEED",
        "yes",
        "feed: expected bool, got str, found 'yes' (CALLFLOW_FEED); write true or false",
    ),
    "no codec": ("CALLFLOW_CODEC", "ulaw", "found 'ulaw' (CALLFLOW_CODEC); write auto, pcm16 or mulaw"),
    "no time": ("CALLFLOW_IDLE", "0", "idle: expected float > 0.0, found '0' (CALLFLOW_IDLE); write seconds"),
    "not a number": ("CALLFLOW_DRAIN", "nan", "found 'nan' (CALLFLOW_DRAIN); write seconds"),
    "for ever": ("CALLFLOW_CALL_LIMIT", "inf", "found 'inf' (CALLFLOW_CALL_LIMIT); write seconds"),
    "no calls": ("CALLFLOW_MAX_CALLS", "0", "found '0' (CALLFLOW_MAX_CALLS); write a number"),
    "no branch": ("CALLFLOW_PASSTHRU_FALLBACK", "500", "found '500' (CALLFLOW_PASSTHRU_FALLBACK); write 200 or 302"),
    "no scheme": ("CALLFLOW_PUBLIC_URL", "calls.example.com", "such as wss://calls.example.com"),
    "a password in the address": ("CALLFLOW_PUBLIC_URL", "wss://a:b@calls.example.com", "such as wss://calls"),
    "a slip": ("CALLFLOW_PRT", "1", "CALLFLOW_PRT: there is no such setting; did you mean CALLFLOW_PORT?"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_variable_is_named_with_its_cure(wrong: str) -> None:
    variable, text, told = WRONG[wrong]

    with pytest.raises(SettingsError) as error:
        load_settings({}, {variable: text})

    assert told in str(error.value)


def test_a_wrong_flag_is_named_as_it_was_typed() -> None:
    with pytest.raises(SettingsError, match=r"found 0 \(--max-sockets\); write a number"):
        load_settings({"max_sockets": 0}, {})


WRONG_FILES: dict[str, tuple[str, str]] = {
    "a wrong value": ("# port\n\nport = 'a'\n", "callflow.toml:3); write a number up to 65535"),
    "a slip": ("port = 1\nlow_latncy = true\n", "low_latncy: there is no such setting ("),
    "a slip's cure": ("low_latncy = true\n", "callflow.toml:1); did you mean low_latency?"),
    "an unknown key": ("zzzzz = 1\n", "there are host, port, credentials"),
    "a table": ("[server]\nport = 1\n", "server: there is no such setting ("),
    "a table for a value": ("\n[port]\na = 1\n", "callflow.toml:2); write a number"),
    "one text for several": ("credentials = 'a:b'\n", "credentials: expected array, got str ("),
    "no TOML": ("port =\n", "this is not TOML: Invalid value (at line 1, column 7)"),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_a_wrong_file_is_named_with_the_line_and_the_cure(wrong: str, tmp_path: Path) -> None:
    text, told = WRONG_FILES[wrong]

    with pytest.raises(SettingsError) as error:
        load_settings({}, {}, write(tmp_path, text))

    assert told in str(error.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: cannot be read \(No such file or directory\)"):
        load_settings({}, {}, tmp_path / "absent.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "callflow.toml"
    path.write_bytes(b"host = '\xff'")

    with pytest.raises(SettingsError, match="is not UTF-8 at byte 8"):
        load_settings({}, {}, path)


@pytest.mark.parametrize("text", ["canary", ":canary"])
def test_an_error_shows_no_credential(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({}, {"CALLFLOW_CREDENTIALS": text})

    assert "canary" not in str(error.value)


def test_a_repr_shows_no_credential() -> None:
    assert "canary" not in repr(Settings(credentials=("exotel:canary",)))


@pytest.mark.parametrize("key", [attribute.name for attribute in attrs.fields(Settings)])
def test_every_setting_has_a_cure(key: str) -> None:
    with pytest.raises(SettingsError, match="; write "):
        load_settings({key: object()}, {})


def test_the_doors_limits_are_settings() -> None:
    settings = Settings(
        max_calls=1,
        max_sockets=2,
        max_sockets_per_address=3,
        max_sockets_without_start=4,
        head_within=5.0,
        body_within=6.0,
        max_body=7,
    )

    assert settings.limits == Limits(
        calls=1, sockets=2, sockets_per_address=3, sockets_without_start=4, head=5.0, body=6.0, body_bytes=7
    )


def test_the_defaults_are_the_doors_own() -> None:
    assert Settings().limits == Limits()


def test_no_credentials_let_everybody_in() -> None:
    assert Settings().accepted is None


def test_credentials_are_what_the_door_asks_for() -> None:
    assert Settings(credentials=("a:b",)).accepted == Credentials.of(["a:b"])
