"""The tool that plants mutants: it changes one line, gives it back, and says so where there is no such line."""

from __future__ import annotations

import pytest

from tests.mutants.mutant import Mutant, NoSuchLine, planted


def half(number: int) -> int:
    """Divide."""
    return number // 2


class Counter:
    """Counts by twos."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        self.count += 2
        return self.count


class Loud(Counter):
    def add(self) -> int:
        return -super().add()


def mutant(of: object, old: str, new: str) -> Mutant:
    return Mutant(law="none", words="is wrong", of=of, old=old, new=new)  # type: ignore[arg-type]  # functions, all of them


def test_a_line_is_changed_inside_the_block_and_nowhere_else() -> None:
    with planted(mutant(half, "return number // 2", "return number // 3")):
        inside = half(6)

    assert (inside, half(6)) == (2, 3)


def test_a_method_is_changed_for_objects_that_are_there_already() -> None:
    counter = Counter()

    with planted(mutant(Counter.add, "self.count += 2", "self.count += 3")):
        assert counter.add() == 3


def test_a_method_that_calls_its_base_can_be_changed() -> None:
    with planted(mutant(Loud.add, "return -super().add()", "return 10 * super().add()")):
        assert Loud().add() == 20


def test_the_line_is_given_back_when_the_block_fails() -> None:
    with pytest.raises(KeyError), planted(mutant(half, "return number // 2", "raise KeyError(number)")):
        half(6)

    assert half(6) == 3


def test_a_line_that_is_not_there_is_told() -> None:
    with pytest.raises(NoSuchLine, match="half has no line 'return number / 2'"):
        planted(mutant(half, "return number / 2", "pass")).__enter__()


def test_a_function_that_has_the_line_twice_is_told() -> None:
    def twice(number: int) -> int:
        number += 1
        number += 1
        return number

    with pytest.raises(NoSuchLine, match="twice has 2 lines 'number \\+= 1'"):
        planted(mutant(twice, "number += 1", "pass")).__enter__()
