"""The command line: ``callflow COMMAND``. Each command lives in a file of its own; errors end here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import cyclopts

from callflow.cli.call import call
from callflow.cli.check import check
from callflow.cli.diagram import diagram
from callflow.cli.fuzz import fuzz
from callflow.cli.replay import replay
from callflow.cli.serve import serve
from callflow.errors import CallflowError, FlowDefinitionError

MISTYPED = 2
"""Exit code of words that are no command."""


def _version() -> str:
    try:
        return version("callflow-trio")
    except PackageNotFoundError:
        return "not installed"


app = cyclopts.App(
    name="callflow",
    help="Telephone call flows for Exotel AgentStream.",
    version=_version,
    version_flags=["--version"],
    help_format="plaintext",
    backend="trio",
)
app.command(serve)
app.command(call)
app.command(check)
app.command(diagram)
app.command(fuzz)
app.command(replay)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command that the words name and end the process with its exit code."""
    raise SystemExit(run(sys.argv[1:] if words is None else words))


def run(words: Sequence[str], commands: cyclopts.App = app) -> int:
    """Run a command; return its exit code. A mistake of the user's is one line and never a traceback."""
    try:
        code: int = commands(
            list(words), result_action="return_int_as_exit_code_else_zero", exit_on_error=False, print_error=False
        )
    except cyclopts.CycloptsError as mistyped:
        print(f"callflow: {' '.join(str(mistyped).split())}", file=sys.stderr)
        return MISTYPED
    except FlowDefinitionError as wrong:
        more = f" (and {len(wrong.others)} more: callflow check tells all)" if wrong.others else ""
        print(f"callflow: {wrong}{more}", file=sys.stderr)
        return 1
    except CallflowError as wrong:
        print(f"callflow: {wrong}", file=sys.stderr)
        return 1
    return code
