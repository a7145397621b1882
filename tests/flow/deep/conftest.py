"""A user's module whose control flow is studied."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

from callflow import Flow
from callflow.flow.checks.everything import check_module
from callflow.flow.checks.finding import Finding
from callflow.flow.deep.study import Study, study
from tests.flow.checks.conftest import write_wav


@frozen
class Studied:
    """What was found out about the one flow of a module."""

    flow: Flow[object]
    facts: Study
    findings: list[Finding]
    plain: list[Finding]
    """What the plain check finds."""


Read = Callable[..., Studied]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Write a module, import it, and study its flow. ``prompts``: seconds of each file, by name."""

    def studied(code: str, **prompts: float) -> Studied:
        for name, seconds in ({"menu": 1.0} | prompts).items():
            write_wav(tmp_path / "prompts" / f"{name}.wav", 8000, seconds)
        path = tmp_path / "ivr.py"
        path.write_text(code, encoding="utf-8")
        module = types.ModuleType("ivr")
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, "ivr", module)
        exec(compile(code, path, "exec"), vars(module))
        [flow] = [value for value in vars(module).values() if isinstance(value, Flow)]
        facts = study(flow)
        return Studied(flow, facts, check_module(module, [flow], [facts]), check_module(module, [flow]))

    return studied
