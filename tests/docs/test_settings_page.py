"""The page of settings has every setting, with its flag, its variable and its default."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import attrs
import pytest

from callflow.cli.serve import serve
from callflow.errors import SettingsError
from callflow.server.settings import PREFIX, Settings, load_settings
from tests.docs.tables import plain, tables
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "reference" / "settings.md"
ROWS = {plain(row[0]): [plain(cell) for cell in row] for table in tables(PAGE) for row in table.rows}
FIELDS = {field.name: field for field in attrs.fields(Settings)}
FLAGS = set(inspect.signature(serve).parameters)


def shown(default: object) -> str:
    """Write a default as the page does."""
    if default in (None, ()):
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_every_setting_is_there() -> None:
    assert sorted(ROWS) == sorted(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_has_its_flag_its_variable_and_its_default(name: str) -> None:
    flag = f"--{name.replace('_', '-')}" if name in FLAGS else ""

    assert ROWS[name][1:4] == [flag, f"{PREFIX}{name.upper()}", shown(FIELDS[name].default)]


def test_the_file_on_the_page_can_be_read(tmp_path: Path) -> None:
    text = next(block.text for block in blocks(PAGE) if block.info == "toml")
    file = tmp_path / "callflow.toml"
    file.write_text(text)

    read = attrs.asdict(load_settings({}, {}, file))

    assert {key: read[key] for key in tomllib.loads(text)} == {
        key: tuple(value) if isinstance(value, list) else value for key, value in tomllib.loads(text).items()
    }


def test_an_empty_variable_and_one_of_another_tool_are_left_alone() -> None:
    assert load_settings({}, {"CALLFLOW_PORT": "", "CALLFLOW_ZZTOP": "x"}) == Settings()


def test_a_variable_that_is_nearly_a_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match="did you mean CALLFLOW_CREDENTIALS"):
        load_settings({}, {"CALLFLOW_CREDENTIAL": "a:b"})
