"""A plan of faults: what will go wrong on a call's line, as a value. It needs no Hypothesis; ``faults`` draws some."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import asdict, evolve, frozen

from callflow.line.memory import Conditions
from callflow.line.profile import EchoesClearedMarks
from callflow.line.script import header_lines, parse
from callflow.line.steps import Fault, Header, Network, Service
from callflow.testing.stage import Circumstances


@frozen(kw_only=True, repr=False)
class Plan:
    """What is wrong with a line all the time, and what befalls it at which moment. The usual plan has nothing wrong."""

    lag: float = 0.0
    """Seconds that everything takes, each way."""
    echoes: EchoesClearedMarks = "at once"
    """When marks come back that a ``clear`` overtook."""
    network: Network = Network.SMOOTH
    faults: tuple[Fault, ...] = ()
    """What happens at moments of the call, by the clock since it was answered."""

    @classmethod
    def read(cls, lines: Iterable[str]) -> Plan:
        """Read a plan as it prints itself: lines of a call script's header, such as ``at 3s drop``.

        Raises:
            ScriptError: A line cannot be read.
        """
        header = parse("\n".join([*lines, "hangup"]), "a plan of faults").header
        return cls(lag=header.lag, echoes=header.echoes, network=header.network, faults=header.faults)

    @property
    def lines(self) -> list[str]:
        """The plan as lines of a call script's header."""
        return header_lines(self.of(Header()))

    def of(self, header: Header) -> Header:
        """Write what the plan has that is not the usual into a header, over what that says of the line."""
        usual = Plan()
        unusual = {name: value for name, value in asdict(self, recurse=False).items() if value != getattr(usual, name)}
        return evolve(header, **unusual)

    @property
    def circumstances(self) -> Circumstances:
        """What a ``Stage`` is to have for it."""
        return Circumstances.of(self.of(Header()))

    @property
    def conditions(self) -> Conditions:
        """What a ``MemoryNetwork`` is to have for it; what befalls a line at a moment is not in them."""
        return self.circumstances.conditions

    @property
    def steers(self) -> bool:
        """Whether it tells services to fail or to hang."""
        return any(isinstance(fault.step, Service) for fault in self.faults)

    def __repr__(self) -> str:
        """Write it as ``read`` takes it."""
        return f"Plan.read({self.lines!r})"

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        printer.text(repr(self))  # type: ignore[attr-defined]  # Hypothesis's own kind of printer
