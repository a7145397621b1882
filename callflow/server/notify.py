"""Tells systemd how the process is (sd_notify(3)): ready, reloading, stopping, alive. Nothing where nobody listens."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping

import trio
from attrs import frozen


@frozen(kw_only=True)
class Notifier:
    """Writes to the socket of a service manager. Never waits, and never raises: it may be gone."""

    address: str = ""
    """Of the datagram socket; empty for none. A leading ``@`` stands for the abstract namespace."""
    watchdog: float = 0.0
    """Seconds within which ``alive`` has to be told again; 0 for never."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Notifier:
        """Read ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``."""
        address = environ.get("NOTIFY_SOCKET", "")
        every = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return cls(address=address, watchdog=int(every) / 1e6 if every.isdecimal() and ours else 0.0)

    def ready(self, status: str | None = None) -> None:
        """Calls are answered from now on; also the end of ``reloading``, where the status stays as it was."""
        self._tell("READY=1", *([] if status is None else [f"STATUS={status}"]))

    def reloading(self) -> None:
        """Settings are read again; ``ready`` follows."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str, *, within: float) -> None:
        """The server goes down, and this stage of it ends within so many seconds: it is not to be killed before."""
        self._tell("STOPPING=1", f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={int((within + SLACK) * 1e6)}")

    async def stay_alive(self) -> None:
        """Tell that the loop turns, twice in each of the watchdog's periods; return at once where there is none.

        Cancellation:
            Nothing more is told.
        """
        while self.watchdog > 0:
            self._tell("WATCHDOG=1")
            await trio.sleep(self.watchdog / 2)

    def _tell(self, *lines: str) -> None:
        if not self.address:
            return
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), address)


SLACK = 5.0
"""Seconds beyond a stage's bound before the service manager may lose its patience."""
