"""Marks of methods: which events a method takes, nearest class first, and what a subclass makes of it."""

from __future__ import annotations

import abc

from callflow import Call, Hangup, State, activity, key, on
from callflow.flow.marks import ACTIVITY_ATTRIBUTE, EVENT_ATTRIBUTE, handler_of, line_of, marked

C = Call[None]


class Place:
    """An event."""


class Near(Place):
    """One of those."""


class Nearer(Near):
    """One of these."""


class Spoken(abc.ABC):  # noqa: B024  # it exists for those that register
    """Events that register themselves."""


@Spoken.register
class Hello:
    """An event that has no real base."""


class Bye(Hangup[None]):
    """The end."""


class Base(State[None], timeout=9.0):
    @on(Place)
    def place(self, call: C, event: Place) -> None: ...

    @on(Near)
    def near(self, call: C, event: Near) -> None: ...

    @activity
    async def watch(self, call: C) -> None: ...


class Sub(Base):
    @on(Place)
    def elsewhere(self, call: C, event: Place) -> None: ...

    def near(self, call: C, event: Near) -> None: ...

    @on(Spoken)
    def spoken(self, call: C, event: Spoken) -> None: ...

    @on(object)
    def anything(self, call: C, event: object) -> None: ...


def test_an_event_goes_to_the_nearest_class() -> None:
    assert [handler_of(Base, event) for event in (Place(), Near(), Nearer(), Hello())] == [
        "place",
        "near",
        "near",
        None,
    ]


def test_a_subclass_has_its_bases_methods_and_its_own_win() -> None:
    assert [handler_of(Sub, event) for event in (Place(), Near(), Nearer())] == ["elsewhere", "near", "near"]


def test_a_registered_base_is_further_than_any_real_one() -> None:
    assert (handler_of(Sub, Hello()), isinstance(Hello(), Spoken)) == ("anything", True)


def test_a_method_in_the_place_of_another_keeps_its_mark() -> None:
    assert marked(Sub, EVENT_ATTRIBUTE)[:2] == [("place", Place), ("near", Near)]


def test_activities_are_inherited() -> None:
    assert [name for name, _ in marked(Sub, ACTIVITY_ATTRIBUTE)] == ["watch"]


def test_a_marked_method_is_still_the_method() -> None:
    nothing: object = None

    assert Base().place(nothing, Place()) is None  # type: ignore[arg-type]  # it is not looked at


def test_a_class_line_is_that_of_the_class_alone() -> None:
    class Longer(Base, timeout=90.0):
        @key("1")
        def one(self, call: C) -> Bye:
            return Bye()

    assert (line_of(Longer), line_of(Base), line_of(Sub)) == ({"timeout": 90.0}, {"timeout": 9.0}, {})
