"""Services that stand in for those behind a flow, and can be told to fail or to hang.

``services={"bank": FakeBank}`` names a double that never fails in a way that the flow expects; ``Double(FakeBank,
fails=BankDown)`` says how it does. Each call of the kit gets a double of its own, so nothing is kept from one to the
next. Where nobody made any, ``doubles_of`` makes them of the services that the flow itself provides.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import trio
from attrs import frozen

from callflow.errors import CallflowError, ScriptError
from callflow.flow.flow import Flow
from callflow.line.steps import Service, ServiceWay
from callflow.testing.failure import RunFailed
from callflow.testing.raised import told


class ServiceFailed(CallflowError, ConnectionError):
    """What a double raises that was told to fail, unless its ``Double`` says otherwise."""


class NoDouble(RunFailed):
    """What is to make a double raises."""


@frozen
class Double:
    """How to make a service for a test, and how it fails."""

    make: Callable[[], Any]
    """Makes it, once for each example."""
    fails: Callable[[str], BaseException] = ServiceFailed
    """Makes what its methods raise while it fails, from a text."""
    at_once: bool = True
    """Whether methods that do not wait fail as well."""


Doubles = Mapping[str, Double | Callable[[], Any]]
"""What the ``service`` lines of a script are about: by name, how each double is made."""


class Steered:
    """A double and the way that it behaves now. For ``isinstance`` it is what it stands for.

    What is called while it hangs never returns; calls that went on before are not touched. A method that does not
    wait cannot hang: it answers.
    """

    def __init__(self, name: str, double: Double | Callable[[], Any]) -> None:
        recipe = _recipe(double)
        self._name = name
        self._recipe = recipe
        self._inside = self._made(recipe)
        self._way = ServiceWay.ANSWERS
        self.met: set[ServiceWay] = set()
        """How it behaved whenever one of its methods was called."""

    def _made(self, recipe: Double) -> object:
        try:
            return recipe.make()
        except Exception as wrong:
            raise NoDouble(f"services={{{self._name!r}: …}} cannot be made: {told(wrong)}") from wrong

    def behave(self, way: ServiceWay) -> None:
        """Answer, fail or hang from now on."""
        self._way = way

    def is_one_with(self, other: Steered) -> bool:
        """Say whether the same object stands behind both."""
        return self._inside is other._inside

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
            self.met.add(self._way)
            if self._way is ServiceWay.HANGS:
                await trio.sleep_forever()
            if self._way is ServiceWay.FAILS:
                await trio.lowlevel.checkpoint()
                raise self._failure(method)
            return await method(*args, **kwargs)

        @functools.wraps(method)
        def answers(*args: Any, **kwargs: Any) -> Any:
            fails = self._way is ServiceWay.FAILS and self._recipe.at_once
            self.met.add(ServiceWay.FAILS if fails else ServiceWay.ANSWERS)
            if fails:
                raise self._failure(method)
            return method(*args, **kwargs)

        return waits if inspect.iscoroutinefunction(method) else answers

    def _failure(self, method: Callable[..., Any]) -> BaseException:
        return self._recipe.fails(f"{self._name} fails at {method.__name__}, as it was told to")


def _recipe(double: Double | Callable[[], Any]) -> Double:
    return double if isinstance(double, Double) else Double(double)


def failures_of(doubles: Doubles) -> frozenset[str]:
    """Name the exceptions that these services raise when they are told to fail."""
    return frozenset(type(_recipe(double).fails("")).__name__ for double in doubles.values())


def steer(doubles: Doubles) -> dict[str, Steered]:
    """Make one set of doubles."""
    return {name: Steered(name, double) for name, double in doubles.items()}


def by_name(services: Sequence[object]) -> Doubles:
    """Name services that are there already: their classes' names, in small letters."""
    return {type(service).__name__.lower(): functools.partial(_itself, service) for service in services}


def _itself(service: object) -> object:
    return service


def named(doubles: Mapping[str, Steered], step: Service) -> Steered:
    """Find the double that a ``service`` step is about.

    Raises:
        ScriptError: There is none of that name.
    """
    if step.name not in doubles:
        known = ", ".join(doubles) or "none"
        words = f"there is no double of a service {step.name!r}; those given are: {known}"
        raise ScriptError("script.call", step.line, words)
    return doubles[step.name]


# Without a test.


def doubles_of(flow: Flow[Any]) -> dict[str, Double]:
    """Make doubles of the services that a flow provides itself, for runs that nobody wrote a test for.

    Behind each stands a copy of the service as it is now, a new one for each example; the object itself where it cannot
    be copied, see ``shared_services``. It fails with the first exception that its own class raises by name, as
    ``BankDown`` in ``raise BankDown``, or with ``ServiceFailed``; then only where it waits.

    Returns:
        By name: the class's in small letters, and a number behind it from the second of a class on.
    """
    return {name: _double_of(service) for name, service in _named_services(flow).items()}


def shared_services(flow: Flow[Any]) -> list[str]:
    """Name the services that cannot be copied: what they keep goes from one example to the next."""
    return [name for name, service in _named_services(flow).items() if _copied(service) is None]


def _named_services(flow: Flow[Any]) -> dict[str, object]:
    named: dict[str, object] = {}
    for service in flow.services:
        name = type(service).__name__.strip("_").lower()
        same = sum(type(other) is type(service) for other in named.values())
        while (full := f"{name}{same + 1}" if same else name) in named:
            same += 1
        named[full] = service
    return named


def _double_of(service: object) -> Double:
    copied = _copied(service)
    make = (lambda: service) if copied is None else (lambda: copy.deepcopy(copied))
    fails = _failure_of(type(service))
    return Double(make, fails=fails, at_once=fails is not ServiceFailed)


def _copied(service: object) -> object | None:
    try:
        return copy.deepcopy(service)
    except Exception:  # noqa: BLE001  # whatever a user's class raises that was not made to be copied
        return None


def _failure_of(kind: type) -> Callable[[str], BaseException]:
    """Find how a service fails by its own account."""
    for name in _names_raised(kind):
        raised = _named(kind, name)
        if isinstance(raised, type) and issubclass(raised, Exception) and _takes_text(raised):
            return raised
    return ServiceFailed


def _names_raised(kind: type) -> Iterator[str]:
    for each in kind.__mro__[:-1]:
        try:
            lines = textwrap.dedent(inspect.getsource(each))
        except (OSError, TypeError):  # built in, or typed into an interpreter
            continue
        raised = [node.exc for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.Raise) and node.exc]
        yield from (ast.unparse(exc.func if isinstance(exc, ast.Call) else exc) for exc in raised)


def _named(kind: type, dotted: str) -> object:
    first, *more = dotted.split(".")
    modules = (vars(sys.modules[each.__module__]) for each in kind.__mro__ if each.__module__ in sys.modules)
    found: object = next((names[first] for names in modules if first in names), None)
    return functools.reduce(lambda thing, name: getattr(thing, name, None), more, found)


def _takes_text(raised: type[Exception]) -> bool:
    try:
        raised("words")
    except TypeError:  # one with parameters of its own
        return False
    return True
