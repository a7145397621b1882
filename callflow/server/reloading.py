"""Reading the entry again while calls run: certificate and key, credentials, allow-list and proxies.

All of it or nothing: what cannot be used leaves everything as it was, and says so. Running calls are untouched, since a
connection goes by the entry that it found when it came.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from urllib.parse import urlsplit

import attrs
from attrs import define, field

from callflow.errors import SettingsError
from callflow.server.admin import read_admin_entry
from callflow.server.door import Door
from callflow.server.entry import ADMIN_CURE, Entry, read_entry, refuse_open_bind
from callflow.server.notify import Notifier
from callflow.server.settings import Settings
from callflow.server.tls import doubt_about

log = logging.getLogger("callflow.server")

READ_AGAIN = frozenset(
    ("credentials", "allow", "proxies", "proxy_protocol", "tls_certificate", "tls_key", "insecure", "admin_credentials")
)
"""Settings that a reload puts into force; all others want a restart."""


def _has_terminal() -> bool:
    return os.isatty(0)


@define(eq=False)
class Reloader:
    """Keeps the entries of a server's doors up to date.

    Args:
        door: That of the public port.
        admin: That of the admin listener.
        settings: Those that the server runs with.
    """

    door: Door
    admin: Door
    settings: Settings
    reread: Callable[[], Settings] | None = None
    """Reads the settings from where they came; None for settings that were made in the program, which stay."""
    notifier: Notifier = field(init=False, factory=Notifier)
    _hosts: tuple[str, ...] = field(init=False, default=())
    _admin_hosts: tuple[str, ...] = field(init=False, default=())
    _had_terminal: bool = field(init=False, factory=_has_terminal)

    def begin(self, hosts: Iterable[str], admin_hosts: Iterable[str] = ()) -> None:
        """Learn what is listened on, and judge the entries before anybody can come.

        Raises:
            SettingsError: Everybody could come.
        """
        self._hosts, self._admin_hosts = tuple(hosts), tuple(admin_hosts)
        self._judge(self.door.entry, self.admin.entry, self.settings)

    def _judge(self, entry: Entry, admin_entry: Entry, settings: Settings) -> None:
        if not settings.insecure:
            refuse_open_bind(self._hosts, entry)
        refuse_open_bind(self._admin_hosts, admin_entry, key="admin", cure=ADMIN_CURE)
        if entry.tls is not None:
            doubt = doubt_about(entry.tls, _name_of(settings))
            if doubt is not None:
                log.warning("certificate doubtful", extra={"reason": doubt})

    def reload(self) -> None:
        """Read everything again and put it into force, or keep what there is and log why."""
        try:
            settings = self.settings if self.reread is None else self.reread()
            entry = read_entry(settings)
            admin_entry = read_admin_entry(settings, entry)
            self._judge(entry, admin_entry, settings)
        except SettingsError as wrong:
            log.error("reload refused", extra={"error": str(wrong)})  # noqa: TRY400 - the operator's mistake, not ours
            return
        self.door.entry, self.admin.entry = entry, admin_entry
        log.info("reloaded", extra={"restart_for": self._left_alone(settings)})

    def _left_alone(self, settings: Settings) -> list[str]:
        """Name the settings that have changed and that only a restart puts into force."""
        names = [attribute.name for attribute in attrs.fields(Settings) if attribute.name not in READ_AGAIN]
        return [name for name in names if getattr(settings, name) != getattr(self.settings, name)]

    async def run(self, hangups: AsyncIterator[int]) -> None:
        """Reload at each SIGHUP. A terminal that was closed sends one too: that means to stop.

        Cancellation:
            Nothing is half done.
        """
        async for _ in hangups:
            if self._had_terminal and not _has_terminal():
                signal.raise_signal(signal.SIGTERM)
            else:
                self.notifier.reloading()
                self.reload()
                self.notifier.ready()


def _name_of(settings: Settings) -> str | None:
    """Find the name that clients use, if the settings tell it."""
    return None if settings.public_url is None else urlsplit(settings.public_url).hostname
