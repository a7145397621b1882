"""Which flow answers which path, and how one is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from callflow import AudioError, Call, Flow, FlowDefinitionError, Hangup, Say
from callflow.server.flows import Flows, StreamPath, find_flow, provider_of, read_stream_path


class Bye(Hangup[None]):
    """The end."""


class Greet(Say[None], prompt="nobody_recorded_this.wav"):
    def then(self, call: Call[None]) -> Bye:
        return Bye()


def flow(name: str) -> Flow[None]:
    return Flow(name, start=Bye)


BANK, SHOP = flow("bank"), flow("shop")


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/stream", StreamPath()),
        ("/stream/bank", StreamPath("bank")),
        ("/stream/bank/t0ken", StreamPath("bank", "t0ken")),
        ("/stream/bank/t0ken/more", None),
        ("/streams", None),
        ("/", None),
        ("", None),
        ("stream", None),
    ],
)
def test_the_path_of_a_stream_names_flow_and_token(path: str, read: StreamPath | None) -> None:
    assert read_stream_path(path) == read


def test_a_repr_shows_no_token() -> None:
    assert "t0ken" not in repr(StreamPath("bank", "t0ken"))


@pytest.mark.parametrize(
    ("served", "name", "found"),
    [
        ((BANK,), None, BANK),
        ((BANK,), "bank", BANK),
        ((BANK,), "shop", None),
        ((BANK, SHOP), None, None),
        ((BANK, SHOP), "shop", SHOP),
        ((BANK, SHOP), "", None),
    ],
)
def test_a_name_may_be_left_out_where_there_is_one(
    served: tuple[Flow[None], ...], name: str | None, found: Flow[None] | None
) -> None:
    assert find_flow(Flows.of(*served), name) is found


def test_two_flows_of_one_name_are_refused() -> None:
    with pytest.raises(FlowDefinitionError, match="two flows are named 'bank'"):
        Flows.of(BANK, SHOP, flow("bank"))


def test_no_flow_at_all_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match="no flow to serve"):
        provider_of([])


class Own:
    """A provider of somebody's own."""

    names: Sequence[str] = ("bank",)

    def flow(self, name: str) -> Flow[Any] | None:
        return BANK

    def load(self) -> None:
        """There is nothing to load."""


def test_a_server_takes_a_flow_several_or_a_provider() -> None:
    own = Own()

    assert [provider_of(served).names for served in (BANK, [BANK, SHOP])] == [("bank",), ("bank", "shop")]
    assert provider_of(own) is own


def test_a_flow_is_replaced_by_one_of_its_name() -> None:
    flows, new = Flows.of(BANK, SHOP), flow("bank")
    flows.replace(new)

    assert (flows.flow("bank"), flows.names) == (new, ("bank", "shop"))


def test_a_flow_that_is_not_served_replaces_none() -> None:
    with pytest.raises(FlowDefinitionError, match="no flow 'shop' is served; there are bank"):
        Flows.of(BANK).replace(SHOP)


def test_a_flow_whose_prompts_are_missing_replaces_none(tmp_path: Path) -> None:
    flows = Flows.of(BANK)

    with pytest.raises(AudioError):
        flows.replace(Flow("bank", start=Greet, prompts=tmp_path))

    assert flows.flow("bank") is BANK
