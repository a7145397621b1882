"""``./run``: serve the example IVR, or with ``--once`` make one scripted call to it and show that call.

This is for a checkout: it looks for ``examples/bank_ivr`` beside the package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cyclopts
import trio

from callflow.cli.app import run
from callflow.cli.call import call
from callflow.cli.logs import show_logs
from callflow.cli.serve import answer, public_urls, say
from callflow.errors import CallflowError
from callflow.flow.flow import Flow
from callflow.server.flow_argument import load_flow
from callflow.server.flows import STREAM_PATH
from callflow.server.serve import Server
from callflow.server.settings import Settings, load_settings

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bank_ivr"

app = cyclopts.App(
    name="./run",
    help="Serve the bank's phone line of the examples; with other words, be the command callflow: ./run call balance.",
    version_flags=[],
    help_format="plaintext",
    backend="trio",
)


@app.default
async def example(*, once: bool = False, host: str | None = None, port: int | None = None) -> int:
    """Serve the example IVR; with --once, or without a terminal and an address, make one call to it instead.

    Args:
        once: Make one scripted call, print it, save what was heard as a stereo WAV, and end: 0 if the call went as the
            script says, else 1.
        host: Address to listen on; 127.0.0.1 unless set.
        port: TCP port; 8080 unless set.
    """
    if not EXAMPLE.is_dir():
        raise CallflowError(f"{EXAMPLE} is not there; it comes with a checkout of the project, not with the package")
    flow = load_flow(str(EXAMPLE / "ivr.py"))
    placed = host is not None or port is not None  # whoever names a place wants it served there, under nohup too
    if once or not (placed or sys.stdin.isatty()):
        return await _call_once(flow)
    show_logs()
    settings = load_settings({"host": host, "port": port, "feed": True}, os.environ)
    return await answer([flow], settings, _announce)


async def _call_once(flow: Flow[Any]) -> int:
    """Serve on a free port of this machine, call, and stop."""
    server = Server(flow, Settings(port=0, feed=True, drain=0))
    server.load()  # here, since an error that comes out of a nursery comes in a group
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(server.run)
        code = await call(EXAMPLE / "calls" / "balance.call", url=f"ws://127.0.0.1:{port}{STREAM_PATH}")
        nursery.cancel_scope.cancel()
    return code


def _announce(flows: Sequence[Flow[Any]], settings: Settings, port: int) -> None:
    [flow] = flows
    elsewhere = "" if port == 8080 else f" --url ws://127.0.0.1:{port}{STREAM_PATH}"  # the default
    stream, passthru = public_urls(settings)
    say(
        f"""
  Asha Bank's phone line   {len(flow.graph.states)} states

  Call it      ./run call balance{elsewhere}      in a second terminal
               transfer, person, locked, silent and stranger are other callers
  At Exotel    Voicebot applet, URL   {stream}
               Passthru applet behind it: branch A ends, branch B goes to a person
               URL   {passthru}
  Ctrl-C stops: no new calls, running ones may end.
"""
    )


def main() -> None:
    """Run ``./run``'s own command."""
    raise SystemExit(run(sys.argv[1:], app))


if __name__ == "__main__":
    main()
