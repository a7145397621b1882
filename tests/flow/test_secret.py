from __future__ import annotations

import copy
import hmac
import json
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest
from rich.pretty import pretty_repr

from callflow.flow.secret import Secret, mask


@attrs.frozen
class Account:
    number: str
    pin: Secret


def printed_forms(held: Secret) -> dict[str, str]:
    return {
        "repr": repr(held),
        "str": str(held),
        "f-string": f"{held}",
        "f-string with !r": f"{held!r}",
        "%s": "%s" % held,  # noqa: UP031 the form that is tested
        "%r": "%r" % held,  # noqa: UP031 the form that is tested
        "format": "{}".format(held),  # noqa: UP032 the form that is tested
        "attrs class": repr(Account("7", held)),
        "attrs.asdict": repr(attrs.asdict(Account("7", held))),
        "rich": pretty_repr(Account("7", held)),
        "exception": repr(ValueError(held)),
        "list": str([held]),
        "default=str": json.dumps({"pin": held}, default=str),
    }


def test_reveal_gives_the_digits() -> None:
    assert Secret("4711").reveal() == "4711"


def test_no_printed_form_shows_a_digit() -> None:
    leaks = [form for form, text in printed_forms(Secret("4711")).items() if "47" in text or "11" in text]

    assert leaks == []


@pytest.mark.parametrize(("digits", "shown"), [("4711", "••••"), ("09*#", "••••"), ("12", "••"), ("", "")])
def test_one_dot_stands_for_each_digit(digits: str, shown: str) -> None:
    held = Secret(digits)

    assert (repr(held), str(held), f"{held}", mask(digits)) == (shown, shown, shown, shown)


def test_a_format_width_pads_the_dots() -> None:
    assert f"{Secret('4711'):>6}" == "  ••••"


def test_length_is_no_secret() -> None:
    assert len(Secret("4711")) == 4


def test_secrets_of_the_same_digits_are_equal_and_hash_alike() -> None:
    same, other = Secret("4711"), Secret("4712")

    assert (Secret("4711") == same, Secret("4711") == other, len({same, Secret("4711"), other})) == (True, False, 2)


def test_a_secret_never_equals_a_string() -> None:
    held: Any = Secret("4711")

    assert (held == "4711", held != "4711", "4711" in {held}) == (False, True, False)


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)))

    Secret("4711") == Secret("4712")  # noqa: B015 the comparison is what is tested

    assert compared == [("4711", "4712")]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Account("7", Secret("4711")), protocol)


def test_its_state_cannot_be_asked_for() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        Secret("4711").__getstate__()


@pytest.mark.parametrize("encode", [json.dumps, msgspec.json.encode, msgspec.to_builtins])
def test_encoders_refuse_it(encode: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as refused:
        encode({"pin": Secret("4711")})

    assert "4711" not in str(refused.value)


def test_what_holds_it_can_be_copied() -> None:
    account = Account("7", Secret("4711"))

    assert copy.deepcopy(account) == account


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_secret_itself(copied: Callable[[Secret], Secret]) -> None:
    held = Secret("4711")

    assert copied(held) is held


def test_it_has_no_dictionary_to_look_into() -> None:
    with pytest.raises(TypeError):
        vars(Secret("4711"))


@pytest.mark.parametrize("change", [lambda s: setattr(s, "_digits", "1"), lambda s: delattr(s, "_digits")])
def test_it_cannot_be_changed(change: Callable[[Secret], None]) -> None:
    held = Secret("4711")

    with pytest.raises(AttributeError, match="make a new one"):
        change(held)


@pytest.mark.parametrize("wrong", ["47a1", "••••", "4 711"])
def test_what_is_no_key_is_refused_without_showing_it(wrong: str) -> None:
    with pytest.raises(ValueError, match=rf"{len(wrong)} characters were given") as refused:
        Secret(wrong)

    assert wrong not in str(refused.value)
