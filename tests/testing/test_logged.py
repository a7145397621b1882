"""What flows log is kept for properties, whatever the levels are, and afterwards all is as it was."""

from __future__ import annotations

import logging

import pytest

from callflow.testing.logged import logged

BANK = logging.getLogger("bank")


def test_what_a_server_in_production_would_show_is_kept() -> None:
    with logged() as lines:
        BANK.info("pin %s", "accepted")
        BANK.debug("not shown")
        logging.getLogger("callflow.call").error("its own")

    assert lines == ["pin accepted"]


@pytest.mark.parametrize("before", [logging.WARNING, logging.DEBUG])
def test_levels_and_handlers_are_as_before(before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    root, own = logging.getLogger(), logging.getLogger("callflow")
    monkeypatch.setattr(root, "level", before)
    handlers, levels = list(root.handlers), (root.level, own.level)
    with logged():
        inside = root.level

    assert (inside, (root.level, own.level), root.handlers) == (min(before, logging.INFO), levels, handlers)


def test_the_library_itself_is_silent() -> None:
    with logged():
        assert not logging.getLogger("callflow.call").isEnabledFor(logging.CRITICAL)
