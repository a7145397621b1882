"""Hypothesis profiles, for the tests and for whatever else ``./test`` is given, such as an example's properties."""

from __future__ import annotations

from hypothesis import settings

# No deadline anywhere: how long an example takes is the machine's affair, and pytest-timeout ends what hangs.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, max_examples=250, print_blob=True)
settings.register_profile("long", deadline=None, max_examples=5_000, print_blob=True)
settings.load_profile("dev")  # unless --hypothesis-profile says otherwise, which comes later
