"""The entry: whom a listener lets in, and how they speak. One value, replaced as a whole when it is read again."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from attrs import field, frozen

from callflow.errors import SettingsError
from callflow.server.addresses import Networks, is_loopback
from callflow.server.credentials import Credentials
from callflow.server.settings import Settings
from callflow.server.tls import load_certificate


@frozen(kw_only=True)
class Entry:
    """Whom a listener lets in. A connection goes by the one that it found when it came."""

    credentials: Credentials | None = None
    """Asked of upgrades and of nearly all requests; None lets everybody in."""
    allow: Networks | None = None
    """Networks of those who may ask at all; None for everybody."""
    proxies: Networks = field(factory=Networks)
    """Whose word about their clients' addresses is believed."""
    proxy_protocol: bool = False
    """Whether those begin each connection with a PROXY header."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """None for plain HTTP and WebSocket."""

    @property
    def is_guarded(self) -> bool:
        """Whether strangers are kept out by something."""
        return self.credentials is not None or (self.allow is not None and not self.allow.are_everybody)


def read_entry(settings: Settings) -> Entry:
    """Make the entry of the public port; certificate and key are read from their files now.

    Raises:
        SettingsError: A file cannot be used, or one setting needs another.
    """
    if settings.proxy_protocol and not settings.proxies:
        raise SettingsError("proxy_protocol", "nobody is believed; name the addresses of the proxies in proxies")
    return Entry(
        credentials=settings.accepted,
        allow=Networks.of(settings.allow) if settings.allow else None,
        proxies=Networks.of(settings.proxies),
        proxy_protocol=settings.proxy_protocol,
        tls=_read_tls(settings),
    )


def _read_tls(settings: Settings) -> ssl.SSLContext | None:
    match settings.tls_certificate, settings.tls_key:
        case None, None:
            return None
        case None, _:
            raise SettingsError("tls_certificate", "there is a tls_key and no certificate; name its file")
        case certificate, key:
            # Without a key file of its own, the key is looked for in the certificate's.
            return load_certificate(Path(certificate), None if key is None else Path(key))


PUBLIC_CURE = "set credentials or allow, or say insecure (--insecure) if something else keeps them out"
ADMIN_CURE = "set admin_credentials, or an address that only this machine reaches"


def refuse_open_bind(hosts: Iterable[str], entry: Entry, *, key: str = "host", cure: str = PUBLIC_CURE) -> None:
    """Refuse to listen for everybody on an address that others reach, by themselves or by a proxy.

    Args:
        hosts: What is listened on.
        entry: Who is let in there.
        key: The setting that said where.
        cure: What would keep strangers out.

    Raises:
        SettingsError: Everybody could come.
    """
    if entry.is_guarded:
        return
    public = next((host for host in hosts if not is_loopback(host)), None)
    if public is not None:
        raise SettingsError(key, f"{public} can be reached by others, and everybody would be let in; {cure}")
    if entry.proxies:
        raise SettingsError("proxies", f"others come by them, and everybody would be let in; {cure}")
