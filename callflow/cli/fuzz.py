"""``callflow fuzz FLOW``: call a flow in virtual time until a call breaks it, with no test file."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from callflow.cli.fuzz_report import Teller, as_json, as_text
from callflow.cli.import_errors import explained
from callflow.errors import CallflowError, SettingsError
from callflow.line.script_files import read_answers
from callflow.server.flow_argument import flow_in, import_from

if TYPE_CHECKING:
    from callflow.testing.failure import Failure
    from callflow.testing.fuzzing import Fuzzed, Plan
    from callflow.testing.machine import CallMachine

NOTHING, FOUND, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: nothing found; a call that breaks something, or too little reached; a wrong order or flow; Ctrl-C."""


def fuzz(  # noqa: PLR0913  # one keyword an option
    flow: str,
    /,
    *,
    budget: str = "200",
    seed: int | None = None,
    steps: int = 30,
    answer: list[str] | None = None,
    caller: list[str] | None = None,
    laws_off: list[str] | None = None,
    require_edges: float = 0.0,
    json: bool = False,
) -> int:
    """Call a flow in virtual time until a call breaks a law, and print the shortest such call. Needs no test file.

    The exit code is 0 if nothing is found, 1 if something is or too few edges are taken, 2 if the flow or an option is
    wrong.

    Args:
        flow: path/to/file.py or package.module, with :name for one of several flows, or of a CallMachine.
        budget: How long to go on: a number of calls, like 500, or a time, like 30s, 5m or 2h.
        seed: Repeats a run; printed by each.
        steps: What one caller does at most.
        answer: An entry that means something to the flow, as name=digits; may be given several times. Those in
            answers.toml beside the flow are known.
        caller: A number that rings; may be given several times.
        laws_off: Name of a law that is not to be checked; may be given several times.
        require_edges: The share of the flow's edges that has to be taken, from 0 to 1.
        json: Print one JSON object.
    """
    try:
        from callflow.testing.fuzzing import Budget, Plan  # noqa: PLC0415  # needs Hypothesis; the other commands do not

        chosen = SystemRandom().getrandbits(32) if seed is None else seed
        plan = Plan(seed=chosen, budget=Budget.parse(budget), steps=steps, require_edges=require_edges)
        _check_numbers(steps, require_edges)
        with _quiet():
            machine = _machine_for(flow, caller or [], answer or [], laws_off or [])
    except ModuleNotFoundError as missing:
        if missing.name != "hypothesis":
            return _refuse(explained(missing))
        return _refuse("it needs hypothesis; install callflow-trio[testing]")
    except CallflowError as wrong:
        return _refuse(str(wrong))
    except (Exception, SystemExit) as wrong:  # noqa: BLE001  # whatever a user's module raises; it is what we report
        return _refuse(explained(wrong))
    return _carry_out(machine, plan, json=json)


def _refuse(message: str) -> int:
    print(f"callflow fuzz: {message}", file=sys.stderr)
    return WRONG


def _check_numbers(steps: int, require_edges: float) -> None:
    if steps < 1:
        raise SettingsError("--steps", f"{steps} is too few; a caller does at least 1")
    if not 0.0 <= require_edges <= 1.0:
        raise SettingsError("--require-edges", f"{require_edges:g} is no share; write a number from 0 to 1, like 0.9")


def _machine_for(
    argument: str, callers: Sequence[str], given: Sequence[str], laws_off: Sequence[str]
) -> type[CallMachine]:
    """Find the machine that FLOW names, or make one for the flow that it names."""
    from callflow.testing.fuzzing import CALLERS, machine_for  # noqa: PLC0415
    from callflow.testing.lawbook import laws_for  # noqa: PLC0415
    from callflow.testing.machine import CallMachine  # noqa: PLC0415

    where, _, name = argument.partition(":")
    module = import_from(Path(), where)
    found = getattr(module, name, None)
    if isinstance(found, type) and issubclass(found, CallMachine):
        if callers or given or laws_off:
            raise SettingsError(argument, "a machine says itself who calls, what is typed and which laws are off")
        return found
    flow = flow_in(module, argument)
    laws = dict.fromkeys(laws_off, False)
    try:
        laws_for(flow, laws)
    except ValueError as unknown:
        raise SettingsError("--laws-off", str(unknown)) from unknown
    answers = read_answers(flow.made_at[0], given)
    return machine_for(flow, callers=tuple(callers) or CALLERS, answers=answers, laws=laws)


def _carry_out(machine: type[CallMachine], plan: Plan, *, json: bool) -> int:
    from callflow.testing.fuzzing import fuzz as run  # noqa: PLC0415

    teller = Teller(sys.stderr, silent=json)
    if not json:
        print(f"{machine.cast.flow.name}: seed {plan.seed}, {plan.budget}", flush=True)
    with _interrupts() as interrupted, _quiet(hushed=True):
        done = run(machine, plan, tell=teller.tell, stop=interrupted)
        failure = _kept(done)
    teller.close()
    print(as_json(done, failure) if json else as_text(done, failure), flush=True)
    if done.interrupted and failure is None:
        return INTERRUPTED
    return FOUND if failure or done.shortfall else NOTHING


def _kept(done: Fuzzed) -> Failure | None:
    from callflow.testing.keeping import keep  # noqa: PLC0415

    return None if done.failure is None else keep(done.failure, Path.cwd())


# What goes on meanwhile.


@contextmanager
def _quiet(*, hushed: bool = False) -> Iterator[None]:
    """Keep what the flow prints out of standard output, which belongs to the report.

    Args:
        hushed: Keep it from standard error as well, and what is logged: hundreds of calls say it all hundreds of times.
    """
    if not hushed:
        with redirect_stdout(sys.stderr):
            yield
        return
    handlers, last = logging.root.handlers, logging.lastResort
    logging.root.handlers, logging.lastResort = [logging.NullHandler()], None
    try:
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            yield
    finally:
        logging.root.handlers, logging.lastResort = handlers, last


@contextmanager
def _interrupts() -> Iterator[Any]:
    """Note Ctrl-C, to end after the call that is being made; the second one does not wait."""
    came: list[int] = []

    def note(number: int, frame: object) -> None:
        came.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, before)
