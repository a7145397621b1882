"""Hypothesis profiles, for the tests and for whatever else ``./test`` is given, such as an example's properties.

What is drawn is the same in every run, but for the long profile and where ``--seed`` says otherwise: a landing must not
hang on chance, and looking for what nobody has seen yet is what the long one is for.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

# No deadline anywhere: how long an example takes is the machine's affair, and pytest-timeout ends what hangs.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, max_examples=250, print_blob=True)
settings.register_profile("long", deadline=None, max_examples=5_000, print_blob=True)
settings.load_profile("dev")  # unless --hypothesis-profile says otherwise, which comes later

LOCAL_CONSTANTS = "_get_local_constants"
"""Hypothesis also draws the constants of all modules that are loaded, which are others in each worker of a run."""

if not hasattr(providers, LOCAL_CONSTANTS):
    raise RuntimeError(f"Hypothesis has no {LOCAL_CONSTANTS} any more: see what makes draws differ between two workers")
setattr(providers, LOCAL_CONSTANTS, vars(providers)["Constants"])  # makes an empty set of them


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw the same in every run of the short profiles."""
    name = settings.get_current_profile_name()
    if name != "long" and config.getoption("hypothesis_seed", None) is None:
        settings.register_profile(name, settings.get_profile(name), derandomize=True, database=None)
        settings.load_profile(name)
