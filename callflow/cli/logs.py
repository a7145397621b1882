"""How the command line shows the library's log: one line a record, in colours on a terminal, or as JSON."""

from __future__ import annotations

import logging
import sys

import structlog


def show_logs(*, verbose: bool = False, as_json: bool = False) -> None:
    """Send callflow's records to standard error.

    Args:
        verbose: Show what is of interest only while hunting a fault.
        as_json: One JSON object a line, for whoever collects logs.
    """
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=True)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if not as_json else "iso", utc=as_json),
    ]
    if as_json:
        shared.append(structlog.processors.format_exc_info)
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logger = logging.getLogger("callflow")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
