"""A profile says which Exotel is at the other end, and only of those that can be."""

from __future__ import annotations

from typing import Any

import pytest

from callflow.line.profile import Profile


@pytest.mark.parametrize(
    "wrong", [{"breaks": {"R12"}}, {"counters_as": "float"}, {"sample_rate": 44100}, {"late_by": -1.0}]
)
def test_a_profile_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Profile(**wrong)
