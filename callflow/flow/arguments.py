"""Checks of the arguments of ``Flow(…)`` that are called or said later: else the first caller would find out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from callflow.errors import FlowDefinitionError
from callflow.flow.prompts import is_prompt
from callflow.flow.verdict import Verdict


def check_asked(flow: str, option: str, function: object, given: str) -> None:
    """Check a function that is asked or told something.

    Args:
        flow: The flow's name.
        option: The argument's name.
        function: Its value; None is none.
        given: What the function is called with.

    Raises:
        FlowDefinitionError: It cannot be called with that.
    """
    if function is None:
        return
    if not callable(function):
        raise _wrong(flow, option, function, f"is no function; write one that takes the {given}")
    if not _takes_one(function):
        raise _wrong(flow, option, function, f"is given the {given} and nothing else; let it take that")


def check_said(flow: str, full: object, apology: object) -> None:
    """Check what a flow has said for it.

    Raises:
        FlowDefinitionError: *full* is no ``Verdict``, or *apology* no prompt.
    """
    if not isinstance(full, Verdict):
        raise _wrong(flow, "full", full, "is no Verdict; write Verdict(302) for branch B")
    if apology is not None and not is_prompt(apology):
        raise _wrong(flow, "apology", apology, "is no prompt; write the name of a file, or a tuple of names")


def check_factory(flow: str, factory: object) -> None:
    """Check that ``data=`` makes something, at once.

    Raises:
        FlowDefinitionError: It cannot be called, or is async.
    """
    if not callable(factory):
        kind = type(factory).__name__
        cure = f"write data={kind}, not data={kind}(…): every call gets data of its own"
        raise _wrong(flow, "data", factory, f"cannot be called; {cure}")
    if inspect.iscoroutinefunction(factory):
        cure = "write 'def', and let the run of a state wait for what it needs"
        raise _wrong(flow, "data", factory, f"must not wait; {cure}")


def _takes_one(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:
        return True  # a built-in does not tell
    return True


def _wrong(flow: str, option: str, value: object, mistake: str) -> FlowDefinitionError:
    return FlowDefinitionError(f"Flow({flow!r}): {option}={value!r} {mistake}", check="flow")
