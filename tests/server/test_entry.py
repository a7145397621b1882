"""The entry: what settings make of it, and when a bind is refused."""

from __future__ import annotations

import pytest

from callflow.errors import SettingsError
from callflow.server.addresses import Networks
from callflow.server.entry import Entry, read_entry, refuse_open_bind
from callflow.server.settings import Settings
from tests.certificates import shared_certificate


def test_settings_say_who_is_let_in() -> None:
    entry = read_entry(Settings(credentials=("a:b",), allow=("10.0.0.0/8",), proxies=("::1",), proxy_protocol=True))

    assert (entry.credentials is not None, entry.allow, entry.proxies, entry.proxy_protocol, entry.tls) == (
        True,
        Networks.of(["10.0.0.0/8"]),
        Networks.of(["::1"]),
        True,
        None,
    )


def test_without_settings_everybody_is_let_in() -> None:
    assert read_entry(Settings()) == Entry()


def test_a_certificate_is_read_from_its_files() -> None:
    files = shared_certificate()

    assert read_entry(Settings(tls_certificate=str(files.certificate), tls_key=str(files.key))).tls is not None


@pytest.mark.parametrize(
    ("settings", "key"),
    [(Settings(proxy_protocol=True), "proxy_protocol"), (Settings(tls_key="a.key"), "tls_certificate")],
)
def test_a_setting_that_needs_another_is_refused(settings: Settings, key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_entry(settings)

    assert refused.value.key == key


GUARDED = Settings(credentials=("a:b",))
LISTED = Settings(allow=("203.0.113.0/24",))
FOR_ALL = Settings(allow=("203.0.113.0/24", "0.0.0.0/0"))


@pytest.mark.parametrize(
    ("hosts", "settings"),
    [
        (["0.0.0.0"], Settings()),
        (["::"], Settings()),
        (["127.0.0.1", "10.0.0.1"], Settings()),
        (["0.0.0.0"], FOR_ALL),
        (["0.0.0.0"], Settings(proxies=("10.0.0.1",))),
    ],
)
def test_others_must_not_reach_what_lets_everybody_in(hosts: list[str], settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"can be reached by others.*credentials or allow.*--insecure"):
        refuse_open_bind(hosts, read_entry(settings))


def test_a_proxy_brings_others_to_any_address() -> None:
    with pytest.raises(SettingsError, match=r"^proxies: others come by them.*credentials or allow"):
        refuse_open_bind(["127.0.0.1"], read_entry(Settings(proxies=("127.0.0.1",))))


@pytest.mark.parametrize(
    ("hosts", "settings"), [(["127.0.0.1", "::1"], Settings()), (["0.0.0.0"], GUARDED), (["0.0.0.0"], LISTED)]
)
def test_what_is_guarded_or_only_here_may_be_listened_on(hosts: list[str], settings: Settings) -> None:
    refuse_open_bind(hosts, read_entry(settings))
