"""Reads the tables of a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

_ESCAPED = "\0"


@frozen
class Table:
    """One table of a page."""

    heading: str
    """The heading that it stands below."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """Give the cells of one column."""
        at = self.columns.index(name)
        return [row[at] for row in self.rows]

    def by(self, key: str, value: str) -> dict[str, str]:
        """Give what one column says of another, both without backquotes."""
        return {plain(k): plain(v) for k, v in zip(self.column(key), self.column(value), strict=True)}


def plain(cell: str) -> str:
    """Take the backquotes off a cell."""
    return cell.replace("`", "")


def code(cell: str) -> list[str]:
    """Give what stands in backquotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def tables(page: Path) -> Iterator[Table]:
    """Find the tables of a page."""
    heading, lines = "", []
    for line in [*page.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            lines.append(line)
        elif lines:
            columns, _, *rows = map(_cells, lines)
            yield Table(heading, columns, tuple(rows))
            lines = []
        if line.startswith("#"):
            heading = line.lstrip("# ")


def _cells(line: str) -> tuple[str, ...]:
    cells = line.replace("\\|", _ESCAPED).strip("|").split("|")
    return tuple(cell.strip().replace(_ESCAPED, "|") for cell in cells)
