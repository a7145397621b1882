"""The page on tests of a flow: its saved call is played, and its table has every method of the caller."""

from __future__ import annotations

import re
from pathlib import Path

from callflow.testing import Caller, replay
from callflow.testing.replaying import Verdict
from tests.docs.tables import code, tables
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "test-your-flow.md"


def test_its_saved_call_passes(tmp_path: Path) -> None:
    [text] = [block.text for block in blocks(PAGE) if block.info == "call"]
    script = tmp_path / "hurried.call"
    script.write_text(text.replace("../ivr.py", str(ROOT / "examples" / "bank_ivr" / "ivr.py")))

    assert replay(script, answers={"pin": "4129"}).verdict is Verdict.PASSED


def test_its_table_has_every_step_that_a_caller_takes() -> None:
    [table] = [table for table in tables(PAGE) if "the caller" in table.columns]
    named = {re.match(r"\w+", word)[0] for cell in table.column("the caller") for word in code(cell)}  # type: ignore[index]  # each begins so
    steps = {name for name in vars(Caller) if not name.startswith("_")}

    assert steps - named == {"state", "data", "heard", "now", "script", "save"}
