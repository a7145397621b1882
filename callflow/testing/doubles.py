"""Services that stand in for those behind a flow, and can be told to fail or to hang.

``services={"bank": FakeBank}`` names a double that never fails in a way that the flow expects; ``Double(FakeBank,
fails=BankDown)`` says how it does. Each call of the kit gets a double of its own, so nothing is kept from one to the
next.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import trio
from attrs import frozen

from callflow.errors import CallflowError
from callflow.line.steps import ServiceWay


class ServiceFailed(CallflowError, ConnectionError):
    """What a double raises that was told to fail, unless its ``Double`` says otherwise."""


@frozen
class Double:
    """How to make a service for a test, and how it fails."""

    make: Callable[[], Any]
    """Makes it, once for each example."""
    fails: Callable[[str], BaseException] = ServiceFailed
    """Makes what its methods raise while it fails, from a text."""


Doubles = Mapping[str, Double | Callable[[], Any]]
"""What the ``service`` lines of a script are about: by name, how each double is made."""


class Steered:
    """A double and the way that it behaves now. For ``isinstance`` it is what it stands for.

    What is called while it hangs never returns; calls that went on before are not touched. A method that does not
    wait cannot hang: it answers.
    """

    def __init__(self, name: str, double: Double | Callable[[], Any]) -> None:
        recipe = double if isinstance(double, Double) else Double(double)
        self._name = name
        self._recipe = recipe
        self._inside = recipe.make()
        self._way = ServiceWay.ANSWERS

    def behave(self, way: ServiceWay) -> None:
        """Answer, fail or hang from now on."""
        self._way = way

    @property  # type: ignore[misc]  # what isinstance looks at first
    def __class__(self) -> Any:
        return type(self._inside)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._inside, name)
        if name.startswith("_") or not callable(member):
            return member
        return self._steer(member)

    def _steer(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        async def waits(*args: Any, **kwargs: Any) -> Any:
            if self._way is ServiceWay.HANGS:
                await trio.sleep_forever()
            if self._way is ServiceWay.FAILS:
                await trio.lowlevel.checkpoint()
                raise self._failure(method)
            return await method(*args, **kwargs)

        @functools.wraps(method)
        def answers(*args: Any, **kwargs: Any) -> Any:
            if self._way is ServiceWay.FAILS:
                raise self._failure(method)
            return method(*args, **kwargs)

        return waits if inspect.iscoroutinefunction(method) else answers

    def _failure(self, method: Callable[..., Any]) -> BaseException:
        return self._recipe.fails(f"{self._name} fails at {method.__name__}, as it was told to")


def steer(doubles: Doubles) -> dict[str, Steered]:
    """Make one set of doubles."""
    return {name: Steered(name, double) for name, double in doubles.items()}
