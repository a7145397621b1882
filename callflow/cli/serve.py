"""``callflow serve FLOW``: answer calls until told to stop."""

from __future__ import annotations

import logging
import os
import resource
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from callflow.cli.import_errors import explained
from callflow.cli.logs import show_logs
from callflow.errors import CallflowError, ListenError, SettingsError
from callflow.flow.flow import Flow
from callflow.server.admin import open_admin
from callflow.server.flow_argument import NoSuchFlow, load_flows
from callflow.server.flows import STREAM_PATH
from callflow.server.listening import open_listeners, take_handed_down
from callflow.server.notify import Notifier
from callflow.server.serve import Server
from callflow.server.settings import Settings, load_settings

log = logging.getLogger("callflow.server")


async def serve(  # noqa: PLR0913  # each keyword is a flag of the command
    flow: str,
    /,
    *more: str,
    host: str | None = None,
    port: int | None = None,
    tls_certificate: str | None = None,
    tls_key: str | None = None,
    insecure: bool | None = None,
    reuse_port: bool | None = None,
    admin: str | None = None,
    codec: str | None = None,
    low_latency: bool | None = None,
    drain_delay: float | None = None,
    drain: float | None = None,
    call_limit: float | None = None,
    feed: bool | None = None,
    config: Path | None = None,
    verbose: bool = False,
    log_json: bool = False,
) -> int:
    """Answer calls with a flow, or several, until SIGTERM or Ctrl-C; then let running calls end.

    Every setting can also stand in callflow.toml or in a CALLFLOW_… variable; flags win, then variables.

    Args:
        flow: path/to/file.py or package.module, with :name where there are several flows.
        more: More flows, each under its own name at /stream/NAME.
        host: Address to listen on; 127.0.0.1 unless set.
        port: TCP port; 8080 unless set, 0 for any free one.
        tls_certificate: PEM file of a certificate and its chain: speak TLS, so wss:// and https://.
        tls_key: PEM file of its key, if that is not in the same file.
        insecure: Listen for everybody, without credentials or an allow-list, also where others reach the address.
        reuse_port: Let a process that comes next listen beside this one.
        admin: HOST:PORT of a listener for operators, with /metrics; a port alone for this machine only.
        codec: auto, pcm16 or mulaw.
        low_latency: Send audio in pieces of 20 ms.
        drain_delay: Seconds in which a server that was told to stop is not ready but still takes calls.
        drain: Seconds that running calls may go on after the server was told to stop.
        call_limit: Longest call, in seconds.
        feed: Let programs on this machine follow calls at /events/CALL_SID.
        config: A settings file; callflow.toml in this folder if there is one.
        verbose: Log more.
        log_json: Log one JSON object a line.
    """
    flags = {
        "host": host,
        "port": port,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
        "insecure": insecure,
        "reuse_port": reuse_port,
        "admin": admin,
        "codec": codec,
        "low_latency": low_latency,
        "drain_delay": drain_delay,
        "drain": drain,
        "call_limit": call_limit,
        "feed": feed,
    }
    show_logs(verbose=verbose, as_json=log_json)

    def read() -> Settings:
        return load_settings(flags, os.environ, config or _config_here())

    settings = read()
    return await answer(_loaded((flow, *more)), settings, announce, reread=read)


def _loaded(arguments: Sequence[str]) -> list[Flow[Any]]:
    """Load flows. What a user's module raises is one line, as in ``callflow check``."""
    try:
        return load_flows(arguments)
    except CallflowError:
        raise
    except (Exception, SystemExit) as wrong:  # whatever a user's module raises; it is what we report
        raise NoSuchFlow(explained(wrong)) from wrong


def _config_here() -> Path | None:
    here = Path("callflow.toml")
    return here if here.is_file() else None


Flows = Sequence[Flow[Any]]


async def answer(
    flows: Flows,
    settings: Settings,
    announced: Callable[[Flows, Settings, int], None],
    *,
    reread: Callable[[], Settings] | None = None,
) -> int:
    """Run a server; tell *announced* its port when it answers, and have SIGHUP *reread* its settings.

    Returns:
        The exit code.

    Raises:
        SettingsError: The settings cannot be put into force.
        AudioError: A prompt is absent or cannot be played.
    """
    server = Server(flows, fitted(settings))
    server.reloader.reread = reread
    server.load()  # before anybody can connect, and before a process that goes knows of a successor
    try:
        handed_down = take_handed_down(os.environ)
        listeners = handed_down or await open_listeners(settings.host, settings.port, shared=settings.reuse_port)
        admin = await open_admin(settings)
    except ListenError as refused:
        print(f"callflow: {refused}", file=sys.stderr)
        return NO_PORT
    run = partial(server.run, listeners, admin=admin, leaves=bool(handed_down), notifier=Notifier.of(os.environ))
    try:
        async with trio.open_nursery() as nursery:
            announced(flows, settings, await nursery.start(run))
    except* SettingsError as wrong:
        raise wrong.exceptions[0] from None
    return 0


NO_PORT = 3
"""Exit code where the port cannot be had; unlike the other errors this one may pass by itself."""


SPARE_DESCRIPTORS = 64
"""For listeners, files, the event loop and operators, beside one for each connection."""


def fitted(settings: Settings) -> Settings:
    """Give the settings with no more connections than the system lets the process have, and say so if they are fewer.

    Past the door's own limit a stranger is answered 503; past the system's limit nobody is answered at all.
    """
    fits = allow_descriptors(settings.max_sockets)
    if fits >= settings.max_sockets:
        return settings
    log.warning("few descriptors", extra={"max_sockets": settings.max_sockets, "fits": fits})
    return attrs.evolve(settings, max_sockets=fits)


def allow_descriptors(sockets: int) -> int:
    """Let the process have as many file descriptors as connections are allowed, as far as the system lets it.

    The usual soft limit of 1,024 is less than the 2,000 connections that are allowed by default.

    Returns:
        How many connections there can be now, at least one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return sockets
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(1, most - SPARE_DESCRIPTORS)


def announce(flows: Flows, settings: Settings, port: int) -> None:
    """Print what a person needs to know now: how to call, and what to enter at Exotel."""
    say(what_to_enter(flows, settings, port))


def say(text: str) -> None:
    """Print to whoever reads standard output; where nobody does any more, calls are answered all the same."""
    try:
        print(text, flush=True)
    except OSError:
        # What could not be written is still in the buffer, and would fail again when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def what_to_enter(flows: Flows, settings: Settings, port: int) -> str:
    """Write how the server is reached, from here and from Exotel."""
    names = [flow.name for flow in flows] if len(flows) > 1 else [""]
    told = zip(flows, names, strict=True)
    lines = [line for flow, name in told for line in (*_about(flow), *_reached(settings, port, name), "")]
    return "\n".join(["", *lines[:-1], "  Ctrl-C stops: no new calls, running ones may end.", ""])


def _about(flow: Flow[Any]) -> tuple[str, ...]:
    return (f"  {flow.name}   {len(flow.graph.states)} states, {len(flow.graph.edges)} moves", "")


def _reached(settings: Settings, port: int, name: str) -> tuple[str, ...]:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    path = f"/{name}" if name else ""
    stream, passthru = public_urls(settings)
    scheme = "ws" if settings.tls_certificate is None else "wss"
    return (
        f"  Call it      callflow call SCRIPT --url {scheme}://{host}:{port}{STREAM_PATH}{path}",
        f"  At Exotel    Voicebot applet, URL   {stream}{path}",
        f"               Passthru applet, URL   {passthru}{path}",
    )


def public_urls(settings: Settings) -> tuple[str, str]:
    """Give the addresses to enter at Exotel: of the Voicebot applet and of the Passthru applet."""
    scheme, _, rest = (settings.public_url or "wss://YOUR.HOST").rstrip("/").partition("://")
    secure = "s" if scheme in ("wss", "https") else ""
    return f"ws{secure}://{rest}{STREAM_PATH}", f"http{secure}://{rest}/passthru"
