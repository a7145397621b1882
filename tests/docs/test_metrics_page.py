"""The page of metrics has every metric of the code, with its type and its labels, and no other."""

from __future__ import annotations

from callflow.server.metrics import METRICS
from tests.docs.tables import code, plain, tables
from tests.test_docs import ROOT

[TABLE] = tables(ROOT / "docs" / "reference" / "metrics.md")


def test_every_metric_is_there_in_order_with_its_type_and_labels() -> None:
    told = [(plain(name), plain(kind), tuple(code(labels))) for name, kind, labels, _ in TABLE.rows]

    assert told == [(metric.name, metric.kind, metric.labels) for metric in METRICS]
