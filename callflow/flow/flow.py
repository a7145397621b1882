"""``Flow``: states, data, prompts and services as one thing that can be served."""

from __future__ import annotations

import functools
import inspect
import math
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

import attrs

from callflow.errors import AudioError, FlowDefinitionError
from callflow.flow.arguments import check_asked, check_factory, check_said
from callflow.flow.branch import ELSE
from callflow.flow.definition import PROMPT_OPTIONS, overrides
from callflow.flow.facts import EndedCall, Started
from callflow.flow.graph import Graph, check_start, is_whole, read_graph, refuse
from callflow.flow.playback import CUT_BY_SPEECH
from callflow.flow.prompts import Prompt, PromptLibrary
from callflow.flow.soundness import dead, forgotten, mistakes_of, names_loaded
from callflow.flow.state import State
from callflow.flow.tap import Tap
from callflow.flow.verdict import StreamTo, Verdict
from callflow.wire.audio import RATES
from callflow.wire.passthru import PassthruReport
from callflow.wire.speech import Sensitivity
from callflow.wire.status import StatusReport

D = TypeVar("D")

Announce = Callable[[PassthruReport], Verdict | Awaitable[Verdict]]
"""Judges a call before its stream comes."""

Direct = Callable[[PassthruReport], StreamTo | Awaitable[StreamTo]]
"""Says where the stream of a call is to be opened."""

Inform = Callable[[StatusReport], Awaitable[None] | None]
"""Is told what became of a call."""

BRANCH_B = Verdict(302)
"""What an announced call is answered that is one too many, unless its flow says something else."""

Afterwards = Callable[[EndedCall[D]], Awaitable[None]]
"""What is done when a call is over."""

LONGEST_APOLOGY = 10.0
"""Seconds of a flow's apology: a server that goes down waits for it."""


class Flow(Generic[D]):
    """A telephone call flow.

    Args:
        name: For logs, records and, where several flows are served, the URL.
        start: The first state; its fields need defaults.
        data: Makes the data of a call: a class without required fields, or a function of ``Started``.
        prompts: Folder of WAV files; relative to the module that makes the flow. ``prompts/`` beside it by default.
        provide: Services for ``call.get``, looked up by type in this order.
        passthru: Called with the Passthru that announces a call; its ``Verdict`` chooses Exotel's branch. It has 2 s.
        stream_url: Called when Exotel asks for the URL of a call's stream; says ``StreamTo`` which flow, with what.
            It has 2 s.
        status: Called with each status callback of a call, once. It has 2 s.
        full: What a Passthru before the stream is answered when no more calls are taken: branch B, unless set.
        apology: Said to a call that is still there when the server goes down; then it is closed. At most 10 seconds.
        error: The state that a call goes to, once, when user code raised and no state takes it by ``on_error``. Made
            without arguments.
        after: An ``async`` function of the ``EndedCall``, run when the call is over: for what has to wait, such as
            saving. It has 5 s.
        max_seconds: Longest call, where that is less than the server's ``call_limit``. ``LimitNear`` comes a minute
            before.
        rate: Sample rate of the prompts, in hertz: 8000, 16000 or 24000.
        raw: A relay: ``call.relay`` and ``call.clear`` in place of prompts, without chunks, pacing and padding.
        one_way: The stream comes from Exotel's Stream applet: the flow listens (``call.tap``) and can say nothing. A
            flow that starts with a ``Tap`` is one-way in any case.
        speech: What counts as the caller's voice, where ``barge_in="speech"``, ``on_speech`` or a ``Record`` ask.
        spare: States of the module that nothing leads to, on purpose; without it such a state is refused.
        resume: Seconds that a call whose line was lost waits for it to come back; 0: it ends with its line. None: as
            the server's settings say, 10 s if they do not.
        scope: Names for annotations of states that are defined inside a function: ``scope=locals()``.

    Raises:
        FlowDefinitionError: The flow cannot run as written. The message names class, mistake and cure.
    """

    def __init__(  # noqa: PLR0913  # one keyword a part of the flow, all optional but two
        self,
        name: str,
        *,
        start: type[State[D]],
        data: Callable[..., D] | None = None,
        prompts: str | Path | None = None,
        provide: Sequence[object] = (),
        passthru: Announce | None = None,
        stream_url: Direct | None = None,
        status: Inform | None = None,
        full: Verdict = BRANCH_B,
        error: type[State[Any]] | None = None,
        apology: Prompt | None = None,
        after: Afterwards[D] | None = None,
        max_seconds: float | None = None,
        rate: int = RATES[0],
        raw: bool = False,
        one_way: bool = False,
        speech: Sensitivity | None = None,
        spare: Sequence[type[State[Any]]] = (),
        resume: float | None = None,
        scope: Mapping[str, Any] | None = None,
    ) -> None:
        if not name or not all(c.isalnum() or c in "-_" for c in name):
            raise FlowDefinitionError(f"Flow({name!r}) has no such name; use letters, digits, - and _", check="flow")
        if rate not in RATES:
            said = f"Flow({name!r}): rate={rate!r}; Exotel knows {', '.join(map(str, RATES))}"
            raise FlowDefinitionError(said, check="flow")
        if resume is not None and not 0 <= resume < float("inf"):
            said = f"Flow({name!r}): resume={resume!r} is no time; write seconds, or 0 for not waiting"
            raise FlowDefinitionError(said, check="flow")
        _check_end(name, after, max_seconds)
        check_asked(name, "after", after, "EndedCall")
        check_asked(name, "passthru", passthru, "PassthruReport")
        check_asked(name, "stream_url", stream_url, "PassthruReport")
        check_asked(name, "status", status, "StatusReport")
        check_said(name, full, apology)
        check_start(start)
        if error is not None:
            check_start(error, "error")
        self.name = name
        self.start: Any = start
        self.services: tuple[Any, ...] = tuple(provide)
        self.passthru = passthru
        self.stream_url = stream_url
        self.status = status
        self.full = full
        self.apology = apology
        self.after = after
        self.max_seconds = max_seconds
        self.rate = rate
        self.raw = raw
        self.one_way = one_way or issubclass(start, Tap)
        self.resume = resume
        self.speech = speech or Sensitivity()
        self.spare = tuple(spare)
        maker = sys._getframe(1)  # whoever calls Flow(…): there is no public way to a caller
        self.made_at = (Path(maker.f_code.co_filename), maker.f_lineno)
        """File and line of ``Flow(…)``."""
        self.scope: Mapping[str, Any] = scope or {}
        self.error: Any = error
        self.graph: Graph = read_graph(start, self.scope, error)
        self.listens = any(map(listens, self.graph.all_states))
        """Whether a state asks for speech: then the noise of the line is known before."""
        self.folder = Path(maker.f_globals.get("__file__", "")).parent / ("prompts" if prompts is None else prompts)
        self._check_one_way()
        self._data = data
        self._takes_started = data is not None and _takes_argument(name, data)
        refuse([*mistakes_of(self.graph, _type_made(data)), *self._forgotten_in(maker)])
        self._library: PromptLibrary | None = None

    def __repr__(self) -> str:
        return f"Flow({self.name!r}, {len(self.graph.states)} states)"

    def _forgotten_in(self, maker: FrameType) -> Iterator[FlowDefinitionError]:
        """Find dead states in the module that makes the flow; one that is made inside a function knows no module."""
        if maker.f_code.co_name != "<module>":
            return
        others = [flow for flow in maker.f_globals.values() if isinstance(flow, Flow)]
        reached = {*self.spare, *(state for flow in (self, *others) for state in (*flow.graph.all_states, *flow.spare))}
        used = names_loaded(maker.f_code)
        for state in forgotten(maker.f_globals, reached):
            if state.__name__ not in used and is_whole(state):
                yield dead(state, self.start)

    @functools.cached_property
    def branches(self) -> frozenset[str]:
        """Every branch of Exotel's flow that a call can choose: by ``Hangup(branch=…)``, or ``"A"`` without one."""
        states = (*self.graph.all_states, *self.spare)
        return frozenset({ELSE, *(getattr(state.options, "branch", ELSE) for state in states)})

    def make_data(self, started: Started) -> D:
        """Make the data of one call."""
        if self._data is None:
            none: Any = None
            return none  # type: ignore[no-any-return]  # a flow without data has D = None
        return self._data(started) if self._takes_started else self._data()

    def providing(self, *services: object) -> Flow[D]:
        """Make a copy in which *services* stand before those of the flow: doubles for a test."""
        twin = object.__new__(type(self))
        twin.__dict__ |= self.__dict__
        twin.services = (*services, *self.services)
        return twin

    @property
    def library(self) -> PromptLibrary:
        """The prompts, loaded once.

        Raises:
            AudioError: A file cannot be played, or a prompt that a state names is not there.
        """
        if self._library is None:
            self._library = self._load()
        return self._library

    def _load(self) -> PromptLibrary:
        named = list(self._named_prompts())
        if not self.folder.is_dir():
            if named:
                where, prompt = named[0]
                raise AudioError(
                    self.folder, "a folder with the flow's prompts", "no folder", f"{where} says {prompt!r}; make it"
                )
            return PromptLibrary(self.folder, self.rate, {}, {})
        library = PromptLibrary.load(self.folder, self.rate)
        for _, prompt in named:
            library.clip(prompt)
        self.check_apology(library)
        return library

    def check_apology(self, library: PromptLibrary) -> None:
        """Check that the apology is short: a server that goes down waits for it.

        Raises:
            AudioError: It takes more than ten seconds, or is not there.
        """
        seconds = 0.0 if self.apology is None else library.clip(self.apology).seconds
        if seconds > LONGEST_APOLOGY:
            what = f"apology={self.apology!r} of Flow({self.name!r})"
            raise AudioError(what, f"at most {LONGEST_APOLOGY:g} s", f"{seconds:.1f} s", "say less, or nothing")

    def _check_one_way(self) -> None:
        taps = [state for state in self.graph.all_states if issubclass(state, Tap)]
        if taps and not self.one_way:
            raise FlowDefinitionError(
                f"{taps[0].__qualname__} is a Tap, which is for one-way streams, but Flow({self.name!r}) starts with "
                f"{self.start.__qualname__}, which may speak; make it a State that listens by call.audio(), or begin "
                "with the Tap"
            )
        named: list[tuple[str, object]] = [*self._named_prompts()]
        named += [
            (state.__qualname__, "a beep") for state in self.graph.all_states if getattr(state.options, "beep", False)
        ]
        if self.one_way and named:
            where, prompt = named[0]
            raise FlowDefinitionError(
                f"{where} says {prompt!r}, but Flow({self.name!r}) is one-way: Exotel plays nothing that is sent on a "
                "Stream applet; take the prompt out, or use the Voicebot applet and leave one_way out",
                check="one-way",
            )

    def _named_prompts(self) -> list[tuple[str, Prompt]]:
        """All prompts that stand in class lines, with the class that says them."""
        named: list[tuple[str, Prompt]] = []
        for state in self.graph.all_states:
            named += [(state.__qualname__, prompt) for _, prompt in prompts_of(state)]
        if self.apology is not None:
            named.append((f"apology= of Flow({self.name!r})", self.apology))
        return named


def prompts_of(state: type[State[Any]]) -> Iterator[tuple[str, Prompt]]:
    """Give the prompts that the class line of a state names, each with the option that it stands in."""
    options = attrs.asdict(state.options, recurse=False)
    said = [(name, options.get(name)) for name in PROMPT_OPTIONS]
    said += [("reprompts", prompt) for prompt in options.get("reprompts", ())]
    yield from ((name, prompt) for name, prompt in said if prompt is not None)


def listens(state: type[State[Any]]) -> bool:
    """Say whether a class wants to hear the caller speak by its definition; code in ``run`` may want it as well."""
    asks = getattr(state.options, "barge_in", None) in CUT_BY_SPEECH
    records = getattr(state.options, "silence", None) is not None
    return asks or records or any(overrides(state, hook) for hook in ("on_speech", "on_speech_ended"))


def _type_made(data: object) -> object:
    """Tell the type of a call's data: None without a factory, Any where it is a function."""
    return data if data is None or isinstance(data, type) else Any


def _check_end(name: str, after: object, max_seconds: float | None) -> None:
    if after is not None and not inspect.iscoroutinefunction(after):
        said = f"Flow({name!r}): after={after!r} is no async function; write 'async def', and take the EndedCall"
        raise FlowDefinitionError(said, check="flow")
    if max_seconds is not None and not 0 < max_seconds < math.inf:
        said = f"Flow({name!r}): max_seconds={max_seconds!r}; write a number of seconds greater than zero"
        raise FlowDefinitionError(said, check="flow")


def _takes_argument(name: str, factory: Callable[..., Any]) -> bool:
    """Whether a data factory wants ``Started``: it does if it has a parameter without a default."""
    check_factory(name, factory)
    try:
        parameters = inspect.signature(factory).parameters.values()
    except ValueError:
        return False  # a built-in class such as dict does not tell
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if needed and not _wants_started(factory, needed):
        raise FlowDefinitionError(
            f"Flow({name!r}): data={factory!r} needs {', '.join(p.name for p in needed)}; "
            "give its fields defaults, or make it a function of Started",
            check="flow",
        )
    return bool(needed)


def _wants_started(factory: Callable[..., Any], needed: Sequence[inspect.Parameter]) -> bool:
    """Whether what a factory needs is one ``Started``. A class must say so: its field could be of any type."""
    only, *more = needed
    if more or only.kind is only.KEYWORD_ONLY:
        return False
    named = only.annotation if isinstance(only.annotation, str) else getattr(only.annotation, "__name__", "")
    return not isinstance(factory, type) or named.rpartition(".")[2] == Started.__name__
