"""Under which URL Exotel is told to connect, and what can stand in it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.server.stream_urls import StreamUrls, TokenPlace


@pytest.mark.parametrize(
    ("public", "host", "base"),
    [
        ("wss://voice.example.in", "other.example", "wss://voice.example.in"),
        ("https://voice.example.in/bots/", None, "wss://voice.example.in/bots"),
        ("ws://127.0.0.1:8080", None, "ws://127.0.0.1:8080"),
        ("http://voice.example.in", None, "ws://voice.example.in"),
        (None, "voice.example.in", "wss://voice.example.in"),
        (None, "voice.example.in:8443", "wss://voice.example.in:8443"),
        (None, "192.0.2.7", "wss://192.0.2.7"),
        (None, "localhost:8080", "ws://localhost:8080"),
        (None, "127.0.0.1:8080", "ws://127.0.0.1:8080"),
        (None, "[::1]:8080", "ws://[::1]:8080"),
        (None, "[2001:db8::7]", "wss://[2001:db8::7]"),
        (None, None, None),
        (None, "", None),
        (None, "user@voice.example.in", None),
        (None, "voice.example.in/path", None),
        (None, "voice.example.in?x", None),
        (None, "a, b", None),
        (None, "-", None),
        (None, "voice.example.in:port", None),
    ],
)
def test_the_base_is_the_setting_else_the_host_that_was_asked(
    public: str | None, host: str | None, base: str | None
) -> None:
    assert StreamUrls(public).base(host) == base


def test_a_server_that_speaks_tls_itself_is_reached_by_it_on_this_machine_too() -> None:
    assert StreamUrls(is_tls=True).base("localhost:8443") == "wss://localhost:8443"


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("path", "wss://h.example/p/stream/bank/t0ken?lang=hi&sample-rate=16000"),
        ("basic", "wss://callflow:t0ken@h.example/p/stream/bank?lang=hi&sample-rate=16000"),
        ("query", "wss://h.example/p/stream/bank?lang=hi&token=t0ken&sample-rate=16000"),
    ],
)
def test_a_token_stands_where_it_is_set_to(place: TokenPlace, url: str) -> None:
    assert StreamUrls(None, place).write("wss://h.example/p", "bank", "t0ken", {"lang": "hi"}, 16000) == url


def test_a_url_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="shorten public_url"):
        StreamUrls().write("wss://h.example/" + "p" * 600, "bank", "t0ken", {})


@given(st.text(max_size=40))
def test_no_host_leads_elsewhere(host: str) -> None:
    base = StreamUrls().base(host)

    assert base is None or urlsplit(base).netloc == host
